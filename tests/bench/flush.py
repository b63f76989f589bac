#!/usr/bin/python3
"""The connections of one floating IP, and of 100, ended among 100,000 entries of the connection table
(1,000 floating IPs with 100 each), beside `conntrack -D`, which takes one address at a time. And what
the NAT and route change of one association takes while a flush runs, beside the same without.

  flush.py BUILD [--rounds N]
"""
import argparse
import pathlib
import statistics
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import conntrack  # noqa: E402
from columns import FIXED, FLOATING, address  # noqa: E402
from namespaces import Lab, run  # noqa: E402

ADDRESSES, EACH, UNUSED = 1000, 100, 5000


def fill(namespace):
    conntrack.flush(namespace)
    for i in range(ADDRESSES):
        conntrack.fill(namespace, EACH, address(FLOATING + i), address(FIXED + i))


def by_fipd(tool, namespace, count):
    """Milliseconds of one pass."""
    took, went = namespace.run(tool, 0, count).stdout.split()
    assert int(went) == count * EACH, f"{went} entries went"
    return float(took)


def by_conntrack(_, namespace, count):
    """Milliseconds of a program a floating IP."""
    start = time.monotonic()
    for i in range(count):
        run(*namespace.prefix("conntrack", "-D", "-d", address(FLOATING + i)))
    return (time.monotonic() - start) * 1000


def flush(tool, namespace, count, rounds):
    took = {by_fipd: [], by_conntrack: []}
    for _ in range(rounds):
        for way, times in took.items():
            fill(namespace)
            times.append(way(tool, namespace, count))
    ours, theirs = (statistics.median(times) for times in took.values())
    print(f"{count:4} floating IP(s), {count * EACH:6} connections: fipd {ours:8.1f} ms | "
          f"conntrack -D {theirs:9.1f} ms | ratio {ours / theirs:.3f}")


def changes_meanwhile(tool, build_namespace, count, rounds):
    """Of floating IPs without connections, so that every flush finds the same table."""
    p50, p99 = [], []
    for each in range(rounds):
        namespace = build_namespace(f"beside{count}-{each}")
        fill(namespace)
        alone50, alone99, busy50, busy99 = map(float, namespace.run(
            tool, "beside", UNUSED, count).stdout.split())
        p50.append((busy50, alone50))
        p99.append((busy99, alone99))
        namespace.delete()
    for name, pairs in (("p50", p50), ("p99", p99)):
        busy, alone = (statistics.median(times) for times in zip(*pairs))
        print(f"NAT and route change while {count} are flushed, {name}: {busy:6.1f} us | "
              f"alone {alone:6.1f} us | ratio {busy / alone:.2f}")


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("build", type=pathlib.Path)
    arguments.add_argument("--rounds", type=int, default=5)
    given = arguments.parse_args()
    tool = given.build.resolve() / "tests/bench/bench_flush"
    with Lab() as lab:
        namespace = lab.namespace("flush")
        print(f"among {ADDRESSES * EACH} connections, medians of {given.rounds}")
        for count in (1, 100):
            flush(tool, namespace, count, given.rounds)
        namespace.delete()
        for count in (1, 100):
            changes_meanwhile(tool, lab.namespace, count, given.rounds)


if __name__ == "__main__":
    main()
