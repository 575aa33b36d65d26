"""A DNS server for the recordings: any name has the addresses 10.0.0.80 and fd00::80 and a long text."""
import socket
import struct


def answer(query):
    end = 12
    while query[end]:
        end += query[end] + 1
    kind, = struct.unpack('!H', query[end + 1:end + 3])
    data = {1: socket.inet_aton('10.0.0.80'), 28: socket.inet_pton(socket.AF_INET6, 'fd00::80'), 16: bytes([200]) + b't' * 200}.get(kind)
    record = b'\xc0\x0c' + struct.pack('!HHIH', kind, 1, 60, len(data)) + data if data else b''
    return query[:2] + struct.pack('!HHHHH', 0x8580, 1, 1 if data else 0, 0, 0) + query[12:end + 5] + record


def main():
    server = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    server.bind(('::', 53))
    print('ready', flush=True)
    while True:
        query, client = server.recvfrom(4096)
        try:
            server.sendto(answer(query), client)
        except (IndexError, struct.error):
            pass  # a broken query gets no answer


if __name__ == '__main__':
    main()
