"""When a router's kernel gets host routes: from an rtnetlink socket of this process in its namespace,
with one clock for all times."""
import socket
import struct
import threading
import time

RTM_NEWROUTE, RTMGRP_IPV4_ROUTE, RTA_DST = 24, 0x40, 1


class RouterEvents:
    """When the router's kernel got each host route."""

    def __init__(self, namespace):
        with namespace.entered():
            self.socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
            self.socket.bind((0, RTMGRP_IPV4_ROUTE))
        self.seen = {}
        threading.Thread(target=self.follow, daemon=True).start()

    def follow(self):
        while True:
            try:
                data = self.socket.recv(65536)
            except OSError:  # overrun by a load of many, of which nobody waits for one here
                continue
            now = time.monotonic()
            while len(data) >= 16:
                length, kind = struct.unpack("IH", data[:6])
                at = 28  # behind the netlink and the route header
                while kind == RTM_NEWROUTE and at + 4 <= length:
                    size, attribute = struct.unpack("HH", data[at:at + 4])
                    if attribute == RTA_DST and data[17] == 32:
                        self.seen.setdefault(socket.inet_ntoa(data[at + 4:at + 8]), now)
                    at += max(4, (size + 3) & ~3)
                data = data[(length + 3) & ~3:]


def quantile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
