#!/usr/bin/python3
"""From `fipctl add` to the route in the router's kernel, beside a bare `ip route add` in the same
set-up; and what the verification of many addresses costs fipd and BIRD. As root.

The router's routes are read from an rtnetlink socket of this process in the router's namespace, with
one clock for all times. "After it returned" may be before: then the router was quicker."""
import json
import os
import pathlib
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time

BUILD = pathlib.Path(sys.argv[1]).resolve()
os.environ["FIPD_BUILD"] = str(BUILD)
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))

from daemon import FIPCTL  # noqa: E402
from router_events import RouterEvents, quantile  # noqa: E402
from topology import Topology  # noqa: E402
from waiting import wait_for  # noqa: E402

RUNS = int(os.environ.get("BENCH_RUNS", "300"))
SIZES = [int(size) for size in os.environ.get("BENCH_SIZES", "10000,50000").split(",") if size]


def one_by_one(events, command, addresses):
    """Milliseconds from the command's start, and from its return, to the router's kernel."""
    whole, after = [], []
    for address in addresses:
        start = time.monotonic()
        subprocess.run(command(address), check=True, stdout=subprocess.DEVNULL)
        returned = time.monotonic()
        wait_for(lambda: address in events.seen, 10, f"the router has {address}", 0.0005)
        whole.append((events.seen[address] - start) * 1000)
        after.append(max(0.0, events.seen[address] - returned) * 1000)
    return whole, after


def told(name, ours, bare):
    for share, word in ((0.5, "p50"), (0.99, "p99")):
        mine, theirs = quantile(ours, share), quantile(bare, share)
        ratio = f"{mine / theirs:.2f}" if theirs > 0.005 else "-"
        print(f"{name}, {word}: fipctl add {mine:.2f} ms | ip route add {theirs:.2f} ms | "
              f"ratio {ratio}")


def propagation(topology):
    events = RouterEvents(topology.router)
    host, fipd = topology.host, topology.fipd
    tap, fixed = topology.instance.tap, topology.instance.fixed
    enter = ["nsenter", f"--net={host.namespace.path}", "--"]
    ours, bare = ([], []), ([], [])
    for turn in range(10):  # in turns, so that a busy machine is busy for both
        count = RUNS // 10
        names = [f"172.18.{turn}.{n}" for n in range(count)]
        others = [f"172.19.{turn}.{n}" for n in range(count)]
        ours_now = one_by_one(events, lambda address: [FIPCTL, "--socket", fipd.socket, "add",
                                                       address, fixed], names)
        # fipd takes routes of its protocol that nobody claims away: it sleeps meanwhile.
        fipd.process.send(signal.SIGSTOP)
        bare_now = one_by_one(events, lambda address: [*enter, "ip", "route", "add", address, "dev",
                                                       tap, "table", "172", "proto", "172",
                                                       "metric", "1024"], others)
        host.namespace.ip(*[f"route del {address} table 172 proto 172" for address in others])
        fipd.process.send(signal.SIGCONT)
        # It wakes to a queue of foreign route events, and reads its table anew: not what is measured.
        fipd.announce("172.16.1.251", fixed)
        fipd.remove("172.16.1.251")
        time.sleep(0.3)
        for (whole, after), into in ((ours_now, ours), (bare_now, bare)):
            into[0].extend(whole)
            into[1].extend(after)
    told("from the command's return", ours[1], bare[1])
    told("from the command's start", ours[0], bare[0])


def client_latency(path, seconds):
    """What a second client of BIRD's waits for `show status`, in milliseconds."""
    client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    client.connect(path)
    client.recv(4096)
    took = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        start = time.monotonic()
        client.sendall(b"show status\n")
        while not client.recv(4096).endswith(b"running\n"):
            pass
        took.append((time.monotonic() - start) * 1000)
        time.sleep(0.002)
    return took


def metric(fipd, name):
    out = subprocess.run(["curl", "-s", "--unix-socket", fipd.socket, "http://fipd/metrics"],
                         capture_output=True, text=True, check=True).stdout
    return next(float(line.split()[1]) for line in out.splitlines() if line.startswith(name + " "))


def verification(topology, size):
    fipd, host = topology.fipd, topology.host
    pairs = [(f"172.{20 + n // 65536}.{n // 256 % 256}.{n % 256}",
              f"10.{80 + n // 65536}.{n // 256 % 256}.{n % 256}") for n in range(size)]
    host.namespace.run("ip", "route", "replace", "10.80.0.0/14", "dev", topology.instance.tap)
    start = time.monotonic()
    fipd.write_bindings("many.toml", pairs)
    counts = {}

    def all_announced():
        counts.update(json.loads(fipd.ctl("status", "--json").out)["floating_ips"])
        return counts["announced"] >= size
    wait_for(all_announced, 120, lambda: f"all are announced: {counts}", 0.2)
    took = time.monotonic() - start
    bird = host.bird.socket
    time.sleep(3)
    quiet_from = metric(fipd, "fipd_bird_refreshes_total")
    quiet = client_latency(bird, 15)
    quiet_looks = metric(fipd, "fipd_bird_refreshes_total") - quiet_from
    looks_from = metric(fipd, "fipd_bird_refreshes_total")
    stop = threading.Event()

    def churn():  # one address comes and goes: every refresh is a whole one
        while not stop.is_set():
            fipd.add("172.16.1.250", topology.neighbour.fixed)
            time.sleep(0.3)
            fipd.remove("172.16.1.250")
            time.sleep(0.3)
    thread = threading.Thread(target=churn)
    thread.start()
    busy = client_latency(bird, 15)
    stop.set()
    thread.join()
    looks = metric(fipd, "fipd_bird_refreshes_total") - looks_from
    refresh = metric(fipd, "fipd_bird_refresh_seconds")
    fipd.stop()
    without = client_latency(bird, 15)
    fipd.start()
    print(f"{size} addresses: file to all announced and verified {took:.1f} s (the file's second of "
          f"rest included); one verification {refresh * 1000:.0f} ms")
    for name, latency in (("without fipd", without), (f"fipd, {quiet_looks:.0f} verifications in "
                          "15 s, nothing changes", quiet),
                          (f"fipd, {looks:.0f} verifications in 15 s, changes all the time", busy)):
        print(f"  BIRD's answer to a second client, {name}: p50 {statistics.median(latency):.2f} "
              f"p99 {quantile(latency, 0.99):.2f} max {max(latency):.2f} ms")


def main():
    topology = Topology()
    try:
        topology.fipd.settings["log"] = {"level": "warning"}
        topology.fipd.write_config()
        topology.fipd.restart()
        wait_for(lambda: topology.fipd.ctl("peers", "--json").json["peers"][0]["established"], 10,
                 "fipd sees the session")
        propagation(topology)
        topology.fipd.clear()
        for size in SIZES:
            verification(topology, size)
    finally:
        topology.close()


if __name__ == "__main__":
    main()
