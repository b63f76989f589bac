#!/usr/bin/python3
"""Looks, as fast as it can, for a route of fipd's whose floating IP has no NAT entry.

Run in a compute host's namespace. Reads routes, NAT map, routes again by raw netlink (some 100 us
a round): a route that was there before and after, without its map element in between, attracted
packets that nobody could translate. Prints one such address a line, and at SIGTERM "rounds N".
"""
import signal
import socket
import struct
import sys

NETLINK_NETFILTER = 12
NLM_REQUEST_DUMP = 0x301
NLMSG_ERROR, NLMSG_DONE = 2, 3
RTM_GETROUTE, RTA_DST = 26, 1
NFT_GETSETELEM = (10 << 8) | 13
SOL_NETLINK, STRICT_CHECK = 270, 12
TABLE = PROTOCOL = 172
NESTED = 0x3fff


def attributes(data):
    at = 0
    while at + 4 <= len(data):
        length, kind = struct.unpack_from("=HH", data, at)
        if length < 4:
            return
        yield kind & NESTED, data[at + 4:at + length]
        at += (length + 3) & ~3


def attribute(kind, value):
    return struct.pack("=HH", 4 + len(value), kind) + value + b"\0" * (-len(value) % 4)


class Dumper:
    def __init__(self, protocol):
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, protocol)
        self._socket.bind((0, 0))
        if protocol == socket.NETLINK_ROUTE:
            self._socket.setsockopt(SOL_NETLINK, STRICT_CHECK, 1)

    def dump(self, kind, body):
        """The payloads of all answers; none where the table does not exist."""
        self._socket.send(struct.pack("=IHHII", 16 + len(body), kind, NLM_REQUEST_DUMP, 1, 0) + body)
        while True:
            data = self._socket.recv(1 << 18)
            at = 0
            while at + 16 <= len(data):
                length, answer = struct.unpack_from("=IH", data, at)
                if answer in (NLMSG_DONE, NLMSG_ERROR):
                    return
                yield data[at + 16:at + length]
                at += (length + 3) & ~3


def routes(dumper):
    found = set()
    for family in (socket.AF_INET, socket.AF_INET6):
        request = struct.pack("=BBBBBBBBI", family, 0, 0, 0, TABLE, 0, 0, 0, 0)
        for message in dumper.dump(RTM_GETROUTE, request):
            if message[5] == PROTOCOL:
                found.update(value for kind, value in attributes(message[12:]) if kind == RTA_DST)
    return found


def translated(dumper):
    found = set()
    for name in (b"fixed_by_floating\0", b"fixed_by_floating6\0"):
        request = struct.pack("=BBH", 1, 0, 0) + attribute(1, b"fipd\0") + attribute(2, name)
        for message in dumper.dump(NFT_GETSETELEM, request):
            for kind, elements in attributes(message[4:]):
                if kind == 3:
                    found.update(key_of(element) for _, element in attributes(elements))
    return found


def key_of(element):
    for kind, value in attributes(element):
        if kind == 1:
            return next(data for what, data in attributes(value) if what == 1)
    return b""


def main():
    rounds = seen = 0
    ending = []
    signal.signal(signal.SIGTERM, lambda *_: ending.append(1))
    routing = Dumper(socket.NETLINK_ROUTE)
    filtering = Dumper(NETLINK_NETFILTER)
    print("sampling", flush=True)
    while not ending:
        before = routes(routing)
        if before:
            bare = before - translated(filtering)
            if bare:
                bare &= routes(routing)
            for address in bare:
                family = socket.AF_INET if len(address) == 4 else socket.AF_INET6
                print(f"untranslated {socket.inet_ntop(family, address)}", flush=True)
            seen += 1
        rounds += 1
    print(f"rounds {rounds} with-routes {seen}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
