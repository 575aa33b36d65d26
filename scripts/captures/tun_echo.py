"""The far side of a TUN interface: answers ICMP and ICMPv6 echo requests and sends UDP datagrams back. tun_echo.py INTERFACE"""
import fcntl
import os
import struct
import sys

TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454ca, 1, 0x1000


def echoed(packet):
    if packet[0] >> 4 == 4:
        head, body = bytearray(packet[:20]), bytearray(packet[20:])
        head[12:16], head[16:20] = packet[16:20], packet[12:16]  # its checksum stays right
        protocol, request, reply = packet[9], 8, 0
    else:
        head, body = bytearray(packet[:40]), bytearray(packet[40:])
        head[8:24], head[24:40] = packet[24:40], packet[8:24]
        protocol, request, reply = packet[6], 128, 129
    if protocol in (1, 58) and body[0] == request:
        # One byte changes in the sum: the old checksum is adjusted instead of computed anew.
        old, = struct.unpack('!H', body[2:4])
        new = (~old & 0xffff) + (reply << 8) - (request << 8)
        body[0] = reply
        body[2:4] = struct.pack('!H', ~(new % 0xffff) & 0xffff)
    elif protocol == 17:
        body[0:2], body[2:4] = body[2:4], body[0:2]
    else:
        return None
    return bytes(head + body)


def main():
    tun = os.open('/dev/net/tun', os.O_RDWR)
    fcntl.ioctl(tun, TUNSETIFF, struct.pack('16sH22x', sys.argv[1].encode(), IFF_TUN | IFF_NO_PI))
    print('ready', flush=True)
    while True:
        answer = echoed(os.read(tun, 65535))
        if answer:
            os.write(tun, answer)


if __name__ == '__main__':
    main()
