"""An SCTP handshake by raw sockets: connection tracking and NAT know SCTP where the kernel's own
sockets do not (CONFIG_IP_SCTP). Checksums are verified at both ends."""
import collections
import socket
import struct
import time

PROTOCOL = 132
INIT, INIT_ACK, COOKIE_ECHO, COOKIE_ACK = 1, 2, 10, 11
Packet = collections.namedtuple("Packet", "peer source_port port tag chunk")


def _table():
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
        table.append(value)
    return table


_CRC32C = _table()


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ _CRC32C[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def _packet(source_port, port, tag, chunk, body=b""):
    data = struct.pack(">BBH", chunk, 0, 4 + len(body)) + body
    bare = struct.pack(">HHII", source_port, port, tag, 0) + data
    return bare[:8] + struct.pack("<I", crc32c(bare)) + bare[12:]


def _init_body(tag):
    return struct.pack(">IIHHI", tag, 65536, 1, 1, 1)


class Endpoint:
    def __init__(self, namespace, v6):
        self._v6 = v6
        self._sock = namespace.socket(socket.AF_INET6 if v6 else socket.AF_INET, socket.SOCK_RAW,
                                      PROTOCOL)

    def send(self, address, *packet):
        self._sock.sendto(_packet(*packet), (address, 0))

    def receive(self, port, timeout=2.0):
        """The next sound packet to `port`, or None."""
        deadline = time.monotonic() + timeout
        while (left := deadline - time.monotonic()) > 0:
            self._sock.settimeout(left)
            try:
                data, peer = self._sock.recvfrom(4096)
            except TimeoutError:
                return None
            if not self._v6:
                data = data[(data[0] & 15) * 4:]
            source_port, to_port, tag, checksum = struct.unpack_from(">HHI4s", data)
            sound = struct.unpack("<I", checksum)[0] == crc32c(data[:8] + bytes(4) + data[12:])
            if to_port == port and sound:
                return Packet(peer[0], source_port, to_port, tag, data[12])
        return None

    def close(self):
        self._sock.close()


def handshake(client, target, port, server, server_port, source_port=33000):
    """Client and server are namespaces. What each of the four steps saw at its receiver, until one
    did not arrive: [Packet, ...]."""
    v6 = ":" in target
    caller, called = Endpoint(client, v6), Endpoint(server, v6)
    seen = []
    try:
        caller.send(target, source_port, port, 0, INIT, _init_body(0x1111))
        for receiver, at, reply in ((called, server_port, (0x1111, INIT_ACK, _init_body(0x2222))),
                                    (caller, source_port, (0x2222, COOKIE_ECHO, b"cake")),
                                    (called, server_port, (0x1111, COOKIE_ACK, b"")),
                                    (caller, source_port, None)):
            packet = receiver.receive(at)
            if packet is None:
                return seen
            seen.append(packet)
            if reply:
                receiver.send(packet.peer, at, packet.source_port, *reply)
        return seen
    finally:
        caller.close()
        called.close()
