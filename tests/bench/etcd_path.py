#!/usr/bin/python3
"""From etcd to the kernel, with a real etcd of one member beside fipd: a single put, a burst of 10,000,
and the first snapshot, each beside what it could not be quicker than. As root.

One clock for all times, those of the kernel's events included: they are taken where the event is read,
by one thread that waits for all at once. Bare and fipd take turns."""
import ctypes
import http.client
import json
import os
import pathlib
import select
import socket
import statistics
import struct
import sys
import tempfile
import time
import uuid

BUILD = pathlib.Path(sys.argv[1]).resolve()
os.environ["FIPD_BUILD"] = str(BUILD)
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))

import cold_load  # noqa: E402
from daemon import Fipd  # noqa: E402
from etcd_server import Etcd, b64, unb64  # noqa: E402
from namespaces import Lab  # noqa: E402
from waiting import wait_for  # noqa: E402

PUTS = int(os.environ.get("BENCH_PUTS", "500"))
RUNS = int(os.environ.get("BENCH_RUNS", "3"))
BURST = int(os.environ.get("BENCH_BURST", "10000"))
SIZES = [int(size) for size in os.environ.get("BENCH_SIZES", "10000,100000").split(",") if size]
MOST = 128  # operations of one transaction
HOST = "/fipd/v1/host/bench/fip/"
RTM_NEWROUTE, RTMGRP_IPV4_ROUTE = 24, 0x40
NFT_MSG_NEWGEN, NFNLGRP_NFTABLES, NETLINK_ADD_MEMBERSHIP, SOL_NETLINK = 10 << 8 | 15, 7, 1, 270


def pair(n):
    key = str(uuid.UUID(int=n))
    return b64(HOST + key), b64(json.dumps({
        "fixed": cold_load.address(0x0A400000, n), "floating": cold_load.address(0xAC100000, n),
        "id": key, "interface": "tap1", "port": str(uuid.UUID(int=n + (1 << 64)))}))


def quantile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


class Place:
    """A namespace with a tap, an etcd and a fipd in it."""

    def __init__(self):
        self.lab = Lab()
        self.namespace = self.lab.namespace("bench")
        self.namespace.ip("link add tap1 type veth peer name peer1", "link set tap1 up",
                          "link set peer1 up")
        self.etcd = Etcd(self.lab, namespace=self.namespace)
        self.etcd.put("/fipd/v1/ready", {"by": "the bench"})
        self.http = self.etcd.members[0].connection(30)
        self.fipd = Fipd(self.lab, self.namespace, "bench", "", [])
        self.fipd.settings.update(bird={"enabled": False}, log={"level": "error"},
                                  etcd={"endpoints": self.etcd.endpoints})
        del self.fipd.settings["pools"]
        self.fipd.write_config()

    def ask(self, path, body):
        self.http.request("POST", "/v3" + path, body)
        return self.http.getresponse().read()

    def fill(self, numbers):
        """In transactions as large as etcd allows."""
        numbers = list(numbers)
        for at in range(0, len(numbers), MOST):
            steps = []
            for n in numbers[at:at + MOST]:
                key, value = pair(n)
                steps.append({"request_put": {"key": key, "value": value}})
            self.ask("/kv/txn", json.dumps({"success": steps}))

    def status(self):
        connection = http.client.HTTPConnection("fipd", timeout=30)
        connection.sock = socket.socket(socket.AF_UNIX)
        try:
            connection.sock.connect(self.fipd.socket)
            connection.request("GET", "/v1/status")
            return json.loads(connection.getresponse().read())
        except OSError:
            return {"floating_ips": {}, "counters": {}}
        finally:
            connection.close()

    def wait_routed(self, count):
        wait_for(lambda: self.status()["floating_ips"].get("routed", 0) == count, 120,
                 lambda: f"{count} are routed: {self.status()['floating_ips']}", 0.01)

    def peak(self):
        text = pathlib.Path(f"/proc/{self.fipd.process.pid}/status").read_text()
        return int(text.split("VmHWM:")[1].split()[0]) / 1024

    def forget(self):
        """fipd, what it kept, and what it put into the kernel."""
        self.fipd.kill()
        self.namespace.ip("route flush table 172 proto 172", check=False)
        self.namespace.run("nft", "delete table inet fipd", check=False)
        for name in os.listdir(self.fipd.folder):
            if name.startswith("fipd.db"):
                os.unlink(f"{self.fipd.folder}/{name}")


class KernelEvents:
    """When nftables committed, and when a route came: {"nft": time, "route": time}."""

    def __init__(self, namespace):
        with namespace.entered():
            route = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
            route.bind((0, RTMGRP_IPV4_ROUTE))
            nft = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12)
            nft.bind((0, 0))
            nft.setsockopt(SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, NFNLGRP_NFTABLES)
        self.sockets = {"nft": (nft, NFT_MSG_NEWGEN), "route": (route, RTM_NEWROUTE)}

    def wait(self, more=()):
        """Until both have come, and something from each of `more` {name: socket}."""
        more = dict(more)
        waited = {**{name: each[0] for name, each in self.sockets.items()}, **more}
        seen = {}
        while waited.keys() - seen.keys():
            ready, _, _ = select.select([each for name, each in waited.items() if name not in seen],
                                        [], [], 10)
            now = time.monotonic()
            assert ready, f"only {seen.keys()} came"
            for name, each in waited.items():
                if each in ready and (name in more or self._came(name)):
                    seen[name] = now
        return seen

    def _came(self, name):
        sock, wanted = self.sockets[name]
        data, found = sock.recv(65536), False
        while len(data) >= 16:
            length, kind = struct.unpack("IH", data[:6])
            found = found or kind == wanted
            data = data[(length + 3) & ~3:]
        return found


class Bare:
    """Both map elements by libnftables, the route by one netlink message: no daemon."""

    def __init__(self, namespace):
        self.nft = ctypes.CDLL("libnftables.so.1")
        self.nft.nft_ctx_new.restype = ctypes.c_void_p
        with namespace.entered():
            self.context = ctypes.c_void_p(self.nft.nft_ctx_new(0))
            self.route = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
            self.tap = socket.if_nametoindex("tap1")
            self._run("table inet bare { map a { type ipv4_addr : ipv4_addr; }; "
                      "map b { type ipv4_addr : ipv4_addr; }; }")

    def _run(self, text):
        assert self.nft.nft_run_cmd_from_buffer(self.context, text.encode()) == 0, text

    def associate(self, n):
        floating, fixed = cold_load.address(0xAC100000, n), cold_load.address(0x0A400000, n)
        self._run(f"add element inet bare a {{ {floating} : {fixed} }}; "
                  f"add element inet bare b {{ {fixed} : {floating} }}")
        attributes = (struct.pack("HH4s", 8, 1, socket.inet_aton(floating)) +
                      struct.pack("HHI", 8, 4, self.tap) + struct.pack("HHI", 8, 15, 173))
        body = struct.pack("BBBBBBBBI", 2, 32, 0, 0, 0, 172, 253, 1, 0) + attributes
        self.route.send(struct.pack("IHHII", 16 + len(body), RTM_NEWROUTE, 0x605, 1, 0) + body)
        answer = self.route.recv(4096)
        assert struct.unpack("i", answer[16:20])[0] == 0, answer


def one_put(place, n, wait):
    """(milliseconds to the answer, {event: milliseconds}), from before the request was sent."""
    key, value = pair(n)
    start = time.monotonic()
    place.http.request("POST", "/v3/kv/put", json.dumps({"key": key, "value": value}))
    seen = wait({"answer": place.http.sock})
    place.http.getresponse().read()
    return {name: (at - start) * 1000 for name, at in seen.items()}


def watch_of(place):
    """A bare watch: its socket, after its head and its first line."""
    connection = place.etcd.members[0].connection(30)
    connection.request("POST", "/v3/watch", json.dumps({"create_request": {
        "key": b64(HOST), "range_end": b64(HOST[:-1] + "0")}}))
    while b"created" not in connection.sock.recv(65536):
        pass
    return connection.sock


def single(place):
    place.fipd.start()
    place.wait_routed(0)
    events = KernelEvents(place.namespace)
    other = place.lab.namespace("bare")
    other.ip("link add tap1 type veth peer name peer1", "link set tap1 up", "link set peer1 up")
    bare, bare_events = Bare(other), KernelEvents(other)
    ours, watched, associated = [], [], []
    n = 0
    for _ in range(10):
        for _ in range(PUTS // 10):
            n += 1
            ours.append(one_put(place, n, events.wait))
        place.fipd.process.send(19)
        watch = watch_of(place)
        for _ in range(PUTS // 10):
            n += 1

            def wait(more):
                waited, seen = {**more, "watch": watch}, {}
                while waited.keys() - seen.keys():
                    left = [each for name, each in waited.items() if name not in seen]
                    ready = select.select(left, [], [], 10)[0]
                    now = time.monotonic()
                    assert ready, seen
                    seen.update({name: now for name, each in waited.items()
                                 if each in ready and name not in seen})
                watch.recv(65536)
                return seen
            watched.append(one_put(place, n, wait))
            start = time.monotonic()
            bare.associate(n)
            seen = bare_events.wait()
            associated.append((max(seen.values()) - start) * 1000)
        watch.close()
        place.fipd.process.send(18)
        place.wait_routed(n)
        events = KernelEvents(place.namespace)
    for share, word in ((0.5, "p50"), (0.99, "p99")):
        kernel = quantile([max(each["nft"], each["route"]) for each in ours], share)
        answer = quantile([each["answer"] for each in ours], share)
        after = quantile([max(each["nft"], each["route"]) - each["answer"] for each in ours], share)
        watch = quantile([each["watch"] for each in watched], share)
        alone = quantile([each["answer"] for each in watched], share)
        limit = quantile(associated, share)
        print(f"one put, {word}: to the kernel (nft and route) {kernel:.2f} ms, to the answer "
              f"{answer:.2f}, from answer to kernel {after:.2f} | without fipd: to a bare watch "
              f"{watch:.2f}, to the answer {alone:.2f}, the bare association {limit:.2f} | "
              f"ratio {kernel / (watch + limit):.2f}")
    place.forget()


def burst(place):
    took, puts, transactions, peaks = [], [], [], []
    for _ in range(RUNS):
        place.etcd.delete(HOST, prefix=True)
        place.fipd.start()
        place.wait_routed(0)
        before = place.status()["counters"]["nat_transactions"]
        start = time.monotonic()
        place.fill(range(BURST))
        puts.append(time.monotonic() - start)
        place.wait_routed(BURST)
        took.append(time.monotonic() - start)
        transactions.append(place.status()["counters"]["nat_transactions"] - before)
        peaks.append(place.peak())
        place.forget()
    print(f"burst of {BURST} puts in transactions of {MOST}, medians of {RUNS}: to convergence "
          f"{statistics.median(took):.2f} s | the puts alone {statistics.median(puts):.2f} s | ratio "
          f"{statistics.median(took) / statistics.median(puts):.2f} | nft transactions "
          f"{statistics.median(transactions):.0f} | peak memory {statistics.median(peaks):.0f} MB")


def bare_read(place):
    """Of all keys, in pages of 1,000, nothing decoded."""
    start = time.monotonic()
    key, pages = b64(HOST), 0
    while True:
        body = place.ask("/kv/range", json.dumps({"key": key, "range_end": b64(HOST[:-1] + "0"),
                                                  "limit": "1000"}))
        pages += 1
        if b'"more":true' not in body:
            return time.monotonic() - start
        at = body.rfind(b'"key":"') + 7
        last = body[at:body.index(b'"', at)].decode()
        key = b64(unb64(last) + "\0")


def snapshot(place, size):
    place.etcd.delete(HOST, prefix=True)
    place.fill(range(size))
    cold_load.COUNT = size
    took, peaks, later, reads, files, file_peaks = [], [], [], [], [], []
    for _ in range(RUNS):
        start = time.monotonic()
        place.fipd.start(ready=False)
        place.wait_routed(size)
        took.append(time.monotonic() - start)
        peaks.append(place.peak())
        time.sleep(3)  # states are told, and the snapshot is saved
        later.append(place.peak())
        place.forget()
        reads.append(bare_read(place))
        with tempfile.TemporaryDirectory(prefix="fipd-bench-") as folder:
            of_file = cold_load.load(pathlib.Path(folder), place.namespace.name)
        place.namespace.ip("route flush table 172 proto 172", check=False)
        place.namespace.run("nft", "delete table inet fipd", check=False)
        files.append(of_file["ms"] / 1000)
        file_peaks.append(of_file["peak_mb"])
    middle = statistics.median
    print(f"first snapshot of {size}, medians of {RUNS}: from exec to the last route "
          f"{middle(took):.2f} s, peak {middle(peaks):.0f} MB (after 3 s more {middle(later):.0f}) | "
          f"from a file {middle(files):.2f} s, {middle(file_peaks):.0f} MB | ratio "
          f"{middle(took) / middle(files):.2f}, {middle(peaks) / middle(file_peaks):.2f} | a bare read "
          f"{middle(reads):.2f} s | to file and bare read {middle(took) / (middle(files) + middle(reads)):.2f}")


def main():
    place = Place()
    try:
        single(place)
        burst(place)
        for size in SIZES:
            snapshot(place, size)
    finally:
        place.lab.close()


if __name__ == "__main__":
    main()
