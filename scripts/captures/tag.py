"""Joins two interfaces like a switch with a trunk between them: what enters at one leaves at the other with VLAN tags put in
(or, coming back, taken out). Stands for VLAN devices, which not every kernel has.
tag.py PLAIN TRUNK TPID:VLAN..."""
import select
import socket
import struct
import sys

from record import ETH_P_ALL, PACKET_AUXDATA, PACKET_OUTGOING, SOL_PACKET, tag_restored


def opened(interface):
    packets = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    packets.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
    packets.bind((interface, ETH_P_ALL))
    return packets


def received(packets):
    frame, messages, _, where = packets.recvmsg(65535, 256)
    if where[2] == PACKET_OUTGOING:
        return None
    for _, _, data in messages:
        frame = tag_restored(frame, data)
    return frame


def main():
    plain, trunk = opened(sys.argv[1]), opened(sys.argv[2])
    tags = b''.join(struct.pack('!HH', *(int(part, 0) for part in tag.split(':'))) for tag in sys.argv[3:])
    print('ready', flush=True)
    while True:
        for side in select.select([plain, trunk], [], [])[0]:
            frame = received(side)
            if frame is None:
                continue
            if side is plain:
                trunk.send(frame[:12] + tags + frame[12:])
            elif frame[12:12 + len(tags)] == tags:
                plain.send(frame[:12] + frame[12 + len(tags):])


if __name__ == '__main__':
    main()
