"""Frames made by hand: what no well-behaved program sends."""
import socket
import struct

SERVER_MAC, CLIENT_MAC = bytes.fromhex('020000000080'), bytes.fromhex('020000000001')
TCP, UDP, SYN = 6, 17, 2


def checksum(data):
    data += bytes(len(data) % 2)
    total = sum(struct.unpack(f'!{len(data) // 2}H', data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def ethernet(kind, payload, tags=()):
    tagged = b''.join(struct.pack('!HH', tpid, vlan) for tpid, vlan in tags)
    return SERVER_MAC + CLIENT_MAC + tagged + struct.pack('!H', kind) + payload


def ipv4(source, destination, protocol, payload, ident=0, fragment=0, options=b''):
    words = 5 + len(options) // 4
    head = struct.pack('!BBHHHBBH', 0x40 | words, 0, words * 4 + len(payload), ident, fragment, 64, protocol, 0)
    head += socket.inet_aton(source) + socket.inet_aton(destination) + options
    return head[:10] + struct.pack('!H', checksum(head)) + head[12:] + payload


def ipv6(source, destination, following, payload):
    head = struct.pack('!IHBB', 6 << 28, len(payload), following, 64)
    return head + socket.inet_pton(socket.AF_INET6, source) + socket.inet_pton(socket.AF_INET6, destination) + payload


def pseudo(source, destination, protocol, segment):
    family = socket.AF_INET6 if ':' in source else socket.AF_INET
    ends = socket.inet_pton(family, source) + socket.inet_pton(family, destination)
    return checksum(ends + struct.pack('!II', len(segment), protocol) + segment)


def tcp(source, destination, sport, dport, flags, seq=1, payload=b''):
    head = struct.pack('!HHIIBBHHH', sport, dport, seq, 0, 5 << 4, flags, 8192, 0, 0) + payload
    return head[:16] + struct.pack('!H', pseudo(source, destination, TCP, head)) + head[18:]


def udp(source, destination, sport, dport, payload):
    head = struct.pack('!HHHH', sport, dport, 8 + len(payload), 0) + payload
    return head[:6] + struct.pack('!H', pseudo(source, destination, UDP, head) or 0xffff) + head[8:]


def dns_name(name):
    return b''.join(bytes([len(label)]) + label.encode() for label in name.split('.')) + b'\0'


def dns_query(ident, name, kind):
    return struct.pack('!HHHHHH', ident, 0x0100, 1, 0, 0, 0) + dns_name(name) + struct.pack('!HH', kind, 1)


def dns_answer(ident, name, kind, records):
    body = b''.join(b'\xc0\x0c' + struct.pack('!HHIH', 16, 1, 300, len(text) + 1) + bytes([len(text)]) + text for text in records)
    return struct.pack('!HHHHHH', ident, 0x8180, 1, len(records), 0, 0) + dns_name(name) + struct.pack('!HH', kind, 1) + body
