"""Records what passes an interface into a capture file, until SIGTERM.

record.py INTERFACE FILE [--in] [--form pcap|pcap-ns|pcap-be|pcapng] [--raw]
  --in    only what the interface receives
  --raw   the interface has no link layer: linktype RAW (IPv4 or IPv6)
VLAN tags, which the kernel takes out of the frame and reports aside, are put back where they were.
"""
import argparse
import signal
import socket
import struct
import sys

ETH_P_ALL, SOL_PACKET, PACKET_AUXDATA, PACKET_OUTGOING = 3, 263, 8, 4
TP_STATUS_VLAN_VALID, TP_STATUS_VLAN_TPID_VALID = 1 << 4, 1 << 6
SO_TIMESTAMPNS = 35


def tag_restored(frame, auxdata):
    status, _, _, _, _, tci, tpid = struct.unpack('IIIHHHH', auxdata[:20])
    if not status & TP_STATUS_VLAN_VALID:
        return frame
    tpid = tpid if status & TP_STATUS_VLAN_TPID_VALID else 0x8100
    return frame[:12] + struct.pack('!HH', tpid, tci) + frame[12:]


class Pcap:
    def __init__(self, file, linktype, order, nanoseconds):
        self.file, self.order, self.unit = file, order, 1 if nanoseconds else 1000
        magic = 0xa1b23c4d if nanoseconds else 0xa1b2c3d4
        file.write(struct.pack(order + 'IHHiIII', magic, 2, 4, 0, 0, 65535, linktype))

    def packet(self, seconds, ns, frame):
        self.file.write(struct.pack(self.order + 'IIII', seconds, ns // self.unit, len(frame), len(frame)) + frame)


class PcapNg:
    def __init__(self, file, linktype):
        self.file = file
        self.block(0x0a0d0d0a, struct.pack('<IHHq', 0x1a2b3c4d, 1, 0, -1))
        resolution = struct.pack('<HHB3x', 9, 1, 9)  # if_tsresol: nanoseconds
        self.block(1, struct.pack('<HHI', linktype, 0, 65535) + resolution + struct.pack('<HH', 0, 0))

    def block(self, kind, body):
        size = len(body) + 12
        self.file.write(struct.pack('<II', kind, size) + body + struct.pack('<I', size))

    def packet(self, seconds, ns, frame):
        time = seconds * 10**9 + ns
        head = struct.pack('<IIIII', 0, time >> 32, time & 0xffffffff, len(frame), len(frame))
        self.block(6, head + frame + bytes(-len(frame) % 4))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('interface')
    parser.add_argument('file')
    parser.add_argument('--in', dest='inbound', action='store_true')
    parser.add_argument('--form', default='pcap')
    parser.add_argument('--raw', action='store_true')
    args = parser.parse_args()

    packets = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    packets.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUFFORCE if hasattr(socket, 'SO_RCVBUFFORCE') else 33, 16 << 20)
    packets.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
    packets.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    packets.bind((args.interface, ETH_P_ALL))
    packets.settimeout(0.2)
    stopped = []
    signal.signal(signal.SIGTERM, lambda *_: stopped.append(True))
    print('recording', flush=True)

    with open(args.file, 'wb') as file:
        linktype = 101 if args.raw else 1
        order = '>' if args.form == 'pcap-be' else '<'
        out = PcapNg(file, linktype) if args.form == 'pcapng' else Pcap(file, linktype, order, args.form == 'pcap-ns')
        while True:
            try:
                frame, messages, _, where = packets.recvmsg(65535, 256)
            except TimeoutError:
                if stopped:
                    return
                continue
            if args.inbound and where[2] == PACKET_OUTGOING:
                continue
            seconds = ns = 0
            for level, kind, data in messages:
                if level == SOL_PACKET and kind == PACKET_AUXDATA and not args.raw:
                    frame = tag_restored(frame, data)
                elif level == socket.SOL_SOCKET and kind == SO_TIMESTAMPNS:
                    seconds, ns = struct.unpack('qq', data)
            out.packet(seconds, ns, frame)


if __name__ == '__main__':
    sys.exit(main())
