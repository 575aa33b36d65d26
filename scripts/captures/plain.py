"""Switches the offloads of an interface off, so that its packets carry real checksums and no packet exceeds the MTU: plain.py INTERFACE"""
import array
import fcntl
import socket
import struct
import sys

SIOCETHTOOL = 0x8946
SET_TX_CHECKSUM, SET_SCATTER, SET_TSO, SET_GSO, SET_GRO = 0x17, 0x19, 0x1f, 0x24, 0x2c

control = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for command in (SET_TX_CHECKSUM, SET_SCATTER, SET_TSO, SET_GSO, SET_GRO):
    value = array.array('B', struct.pack('II', command, 0))
    request = struct.pack('16sP', sys.argv[1].encode(), value.buffer_info()[0])
    try:
        fcntl.ioctl(control, SIOCETHTOOL, request)
    except OSError:
        pass  # the interface has no such offload
