"""Sends frames made by hand through an interface: send.py INTERFACE synflood|amplification|any|broken|burst"""
import random
import socket
import sys
import time

from frames import *

VICTIM, VICTIM6 = '10.0.0.80', 'fd00::80'


def synflood():
    """SYNs to the web server from sources that do not exist; a few of them tagged, a few over IPv6."""
    rng = random.Random(1)
    for i in range(700):
        if i % 20 == 19:
            source = f'2001:db8:f::{rng.randrange(1, 0xffff):x}'
            yield ethernet(0x86dd, ipv6(source, VICTIM6, TCP, tcp(source, VICTIM6, rng.randrange(1024, 65536), 80, SYN, rng.getrandbits(32))))
        else:
            source = f'198.{18 + rng.randrange(2)}.{rng.randrange(256)}.{rng.randrange(1, 255)}'
            segment = tcp(source, VICTIM, rng.randrange(1024, 65536), 80, SYN, rng.getrandbits(32))
            yield ethernet(0x0800, ipv4(source, VICTIM, TCP, segment, ident=i))


def amplification():
    """Answers of open resolvers that the victim never asked: 1.2 KB each, some of 3 KB in three fragments."""
    rng = random.Random(2)
    for i in range(110):
        source = f'203.0.113.{rng.randrange(1, 255)}'
        port = rng.randrange(1024, 65536)
        records = [bytes(rng.choices(b'abcdefghijklmnop', k=200)) for _ in range(5 if i % 8 else 14)]
        datagram = udp(source, VICTIM, 53, port, dns_answer(i, 'amplifier.example', 255, records))
        for at in range(0, len(datagram), 1480):
            more = 0x2000 if at + 1480 < len(datagram) else 0
            yield ethernet(0x0800, ipv4(source, VICTIM, UDP, datagram[at:at + 1480], ident=i + 1, fragment=more | at // 8))


def any_queries():
    """Queries for ANY with a forged source: the server is to be the amplifier. Some other types between them."""
    rng = random.Random(3)
    for i in range(60):
        source, port = f'192.0.2.{rng.randrange(1, 255)}', rng.randrange(1024, 65536)
        kind = (255, 255, 1, 28, 16)[i % 5]
        yield ethernet(0x0800, ipv4(source, VICTIM, UDP, udp(source, VICTIM, port, 53, dns_query(i, 'www.example.org', kind))))
    source = 'fd00:1::9'
    for kind in (255, 28):
        yield ethernet(0x86dd, ipv6(source, VICTIM6, UDP, udp(source, VICTIM6, 4242, 53, dns_query(7, 'www.example.org', kind))))


def burst():
    """One host sends 500 small datagrams at once: what a rate limit is for."""
    for i in range(500):
        yield ethernet(0x0800, ipv4('10.1.0.66', VICTIM, UDP, udp('10.1.0.66', VICTIM, 6666, 9, b'x' * (i % 40)), ident=i))


def broken():
    """Headers cut off at every length that matters, and lengths that lie."""
    source, source6 = '10.1.0.5', 'fd00:1::5'
    segment = tcp(source, VICTIM, 1234, 80, SYN)
    datagram = udp(source, VICTIM, 1234, 53, b'question')
    whole = ethernet(0x0800, ipv4(source, VICTIM, TCP, segment, options=bytes(8)))
    whole6 = ethernet(0x86dd, ipv6(source6, VICTIM6, 0, bytes([60, 0, 1, 4, 0, 0, 0, 0, 6, 1]) + bytes(14) + tcp(source6, VICTIM6, 1, 80, SYN)))
    tagged = ethernet(0x0800, ipv4(source, VICTIM, UDP, datagram), tags=((0x88a8, 7), (0x8100, 8)))
    for frame, cuts in ((whole, (14, 15, 20, 33, 34, 41, 42, 47, 55, 61)), (whole6, (14, 30, 53, 54, 60, 70, 77, 80, 97)),
                        (tagged, (16, 18, 20, 22, 41, 42, 49))):
        yield frame
        for cut in cuts:
            yield frame[:cut]
    good = bytearray(ipv4(source, VICTIM, TCP, segment))

    def patched(at, *values, kind=0x0800, packet=good):
        packet = bytearray(packet)
        packet[at:at + len(values)] = bytes(values)
        return ethernet(kind, bytes(packet))

    yield patched(0, 0x44)  # header of 16 bytes
    yield patched(0, 0x40)  # of none
    yield patched(0, 0x4f)  # of 60, more than the total
    yield patched(0, 0x55)  # version 5
    yield patched(0, 0x65)  # version 6 in an IPv4 frame
    yield patched(2, 0, 0)  # total length 0
    yield patched(2, 0, 19)  # below the header
    yield patched(2, 0, 24)  # 4 bytes of TCP
    yield patched(2, 255, 255)  # far beyond the frame
    yield patched(32, 0x40)  # TCP header of 16 bytes
    yield patched(32, 0xf0)  # of 60
    yield patched(9, 0)  # protocol 0
    yield patched(9, 255)  # a reserved one
    plain = ipv4(source, VICTIM, UDP, datagram)
    yield patched(24, 0, 7, packet=plain)  # UDP length below its header
    yield patched(24, 255, 255, packet=plain)  # beyond the packet
    yield ethernet(0x0800, ipv4(source, VICTIM, UDP, b'', ident=3))
    yield ethernet(0x0800, ipv4(source, VICTIM, UDP, b'late', ident=4, fragment=0x1fff))  # a fragment that ends beyond 64 KiB
    yield ethernet(0x0800, ipv4(source, VICTIM, TCP, segment[:8], ident=5, fragment=0x2000))  # a first fragment of 8 bytes
    yield ethernet(0x86dd, bytes(ipv6(source6, VICTIM6, 59, b'')))  # no next header
    yield ethernet(0x86dd, ipv6(source6, VICTIM6, 0, bytes([0, 0, 1, 4, 0, 0, 0, 0] * 8) + b'end.....'))  # eight extensions
    yield ethernet(0x86dd, ipv6(source6, VICTIM6, 43, bytes([6, 255, 0, 0, 0, 0, 0, 0])))  # an extension beyond the packet
    yield ethernet(0x86dd, ipv6(source6, VICTIM6, 44, bytes([17, 0, 0, 1, 0, 0, 0, 9]) + udp(source6, VICTIM6, 7, 7, b'first')))
    yield ethernet(0x86dd, ipv6(source6, VICTIM6, 44, bytes([17, 0, 0, 8, 0, 0, 0, 9]) + b'later fragment'))
    yield ethernet(0x0800, plain, tags=((0x8100, 1), (0x8100, 2), (0x8100, 3)))  # three tags
    yield ethernet(0x8100, b'')
    yield ethernet(0x0000, b'')
    yield ethernet(0x05dc, b'LLC?')  # a length, not a type
    yield ethernet(0xffff, bytes(1486))


def main():
    interface, what = sys.argv[1:]
    frames = {'synflood': synflood, 'amplification': amplification, 'any': any_queries, 'broken': broken, 'burst': burst}[what]
    out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    out.bind((interface, 0))
    for count, frame in enumerate(frames()):
        out.send(frame)
        if count % 50 == 49:
            time.sleep(0.01)


if __name__ == '__main__':
    main()
