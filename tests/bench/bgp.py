#!/usr/bin/python3
"""What the routers see: drain and undrain of many floating IPs until the router has the
community, each beside the same change of routes by hand (`ip -batch`), and fifty moves between two
hosts under a probe, with metrics by hand and driven by fipd. bgp.py BUILD; a real BIRD on hosts and
routers, in namespaces."""
import os
import re
import sys
import time

os.environ["FIPD_BUILD"] = os.path.abspath(sys.argv[1])
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))

import moves  # noqa: E402
import namespaces  # noqa: E402
from fabric import Fabric  # noqa: E402
from waiting import wait_for  # noqa: E402

COUNTS = [int(each) for each in os.environ.get("BENCH_DRAIN", "1000 10000").split()]
MOVES = int(os.environ.get("BENCH_MOVES", "50"))
ROUNDS = int(os.environ.get("BENCH_RUNS", "3"))
DRAINED = ("show", "route", "where", "(65535,0)", "~", "bgp_community", "count")


def address(n):
    return f"172.17.{n // 256}.{n % 256}"


def at_router(router, *question):
    found = re.search(r"(\d+) of \d+ routes", router.bird.birdc(*question))
    return int(found[1]) if found else 0


def until(router, wanted, start):
    """Milliseconds from `start` until the router has `wanted` drained routes."""
    wait_for(lambda: at_router(router, *DRAINED) == wanted, 120,
             lambda: f"{wanted} are drained: {at_router(router, *DRAINED)}", 0.002)
    return 1000 * (time.monotonic() - start)


def by_hand(host, router, count, metric, former):
    """Every route with the new metric, then without the old one."""
    rest = f"dev {host.instance.tap} table 172 proto 172 metric"
    lines = [f"route {word} {address(n)} {rest} {each}"
             for word, each in (("add", metric), ("del", former)) for n in range(count)]
    start = time.monotonic()
    host.namespace.ip(*lines)
    return until(router, count if metric > former else 0, start)


def by_fipd(host, router, count, word):
    start = time.monotonic()
    answer = host.fipd.ctl(word, "--all")
    assert answer.code == 0, answer
    return until(router, count if word == "drain" else 0, start)


def drain(count):
    fabric = Fabric(hosts=1, makes=("bird",))
    host, router = fabric.hosts[0], fabric.routers[0]
    try:
        host.fipd.write_bindings("many.toml", [(address(n), host.instance.fixed)
                                               for n in range(count)])
        wait_for(lambda: at_router(router, "show", "route", "count") >= count, 120,
                 "the router has all")
        ours, bare = {"drain": [], "undrain": []}, {"drain": [], "undrain": []}
        has_drain = re.search(r"(?m)^ +drain\b", host.fipd.ctl("--help").out)
        for _ in range(ROUNDS if has_drain else 0):
            for word in ("drain", "undrain"):
                ours[word].append(by_fipd(host, router, count, word))
                time.sleep(1)
        host.fipd.stop()
        for _ in range(ROUNDS):
            for word, metric, former in (("drain", 4096, 1024), ("undrain", 1024, 4096)):
                bare[word].append(by_hand(host, router, count, metric, former))
                time.sleep(1)
    finally:
        fabric.close()
    for word in ("drain", "undrain"):
        # The best of the rounds: the machine is shared.
        b = min(bare[word])
        a = f"{min(ours[word]):.0f} ms, ratio {min(ours[word]) / b:.2f}" if ours[word] else "-"
        print(f"{word} of {count} until the last route at the router has changed: fipctl {a} | "
              f"ip -batch {b:.0f} ms")


def fifty_moves(whose, made, move):
    fabric = made(("bird", "bird"), "ebgp")
    try:
        seen = moves.to_and_fro(fabric, MOVES, move)
    finally:
        fabric.close()
    for family, probe in zip(("IPv4", "IPv6"), seen.probes):
        print(f"{MOVES} moves {whose}, {family}: {probe.sent} packets sent, "
              f"{probe.lost} lost, longest gap between two answers {1000 * probe.longest_gap:.1f} ms")
    for router in ("router1", "router2"):
        print(f"{router}: {len(seen.changes(router, moves.FLOATING))} changes of the route, "
              f"{len(seen.next_hops(router, moves.FLOATING))} of the next hop in {MOVES} moves, "
              f"{seen.times_without(router, moves.FLOATING)} times without one")


if __name__ == "__main__":
    namespaces.close_on_signals()
    for each in COUNTS:
        drain(each)
    fifty_moves("by hand", moves.made, moves.move)
    fifty_moves("by fipd", moves.made_for_fipd, moves.move_by_fipd)
