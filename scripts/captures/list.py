"""Prints a Markdown table of captures: what is in each, counted. list.py FILE..."""
import collections
import os
import struct
import sys

NAMES = {1: 'ICMP', 6: 'TCP', 17: 'UDP', 58: 'ICMPv6'}


def packets(path):
    """The linktype, the form's name, and each packet of a file."""
    data = open(path, 'rb').read()
    if data[:4] == b'\x0a\x0d\x0d\x0a':
        found, at, linktype = [], 0, None
        while at < len(data):
            kind, size = struct.unpack_from('<II', data, at)
            if kind == 1:
                linktype, = struct.unpack_from('<H', data, at + 8)
            elif kind == 6:
                length, = struct.unpack_from('<I', data, at + 20)
                found.append(data[at + 28:at + 28 + length])
            at += size
        return linktype, 'pcapng, ns', found
    order = '<' if data[0] in (0xd4, 0x4d) else '>'
    magic, = struct.unpack_from(order + 'I', data)
    linktype, = struct.unpack_from(order + 'I', data, 20)
    found, at = [], 24
    while at < len(data):
        length, = struct.unpack_from(order + 'I', data, at + 8)
        found.append(data[at + 16:at + 16 + length])
        at += 16 + length
    form = 'pcap' + (', ns' if magic == 0xa1b23c4d else '') + (', big-endian' if order == '>' else '')
    return linktype, form, found


def kinds(frame, linktype):
    at, kind, tags = 0, {4: 0x0800, 6: 0x86dd}.get(frame[0] >> 4) if linktype == 101 else 0, 0
    if linktype == 1:
        at, kind = 14, int.from_bytes(frame[12:14], 'big')
        while kind in (0x8100, 0x88a8):
            kind, at, tags = int.from_bytes(frame[at + 2:at + 4], 'big'), at + 4, tags + 1
    if tags:
        yield f'{tags} tag{"s" * (tags > 1)}'
    if kind == 0x0800 and len(frame) >= at + 20:
        yield 'IPv4'
        if int.from_bytes(frame[at + 6:at + 8], 'big') & 0x3fff:
            yield 'fragments'
        yield NAMES.get(frame[at + 9], 'other IP')
    elif kind == 0x86dd and len(frame) >= at + 40:
        yield 'IPv6'
        following = frame[at + 6]
        if following == 44:
            yield 'fragments'
        yield NAMES.get(following, 'extensions')
    elif kind == 0x0806:
        yield 'ARP'
    else:
        yield 'not IP or cut off'


print('| file | form | packets | bytes | of them |\n|---|---|---:|---:|---|')
for path in sys.argv[1:]:
    linktype, form, found = packets(path)
    count = collections.Counter(kind for frame in found for kind in kinds(frame, linktype))
    link = {1: 'Ethernet', 101: 'raw IP'}[linktype]
    what = ', '.join(f'{n} {kind}' for kind, n in count.most_common())
    print(f'| {os.path.basename(path)} | {form}, {link} | {len(found)} | {os.path.getsize(path)} | {what} |')
