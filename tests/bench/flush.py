#!/usr/bin/python3
"""The connections of one floating IP, and of 100, ended among 100,000 entries of the connection table
(1,000 floating IPs with 100 each), beside `conntrack -D`, which walks the table for each address.

  flush.py BUILD
"""
import pathlib
import statistics
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import conntrack  # noqa: E402
from columns import FIXED, FLOATING, address  # noqa: E402
from namespaces import Lab, run  # noqa: E402

ADDRESSES, EACH, ROUNDS = 1000, 100, 5


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


def main():
    tool = pathlib.Path(sys.argv[1]).resolve() / "tests/bench/bench_flush"
    with Lab() as lab:
        namespace = lab.namespace("flush")
        print(f"among {ADDRESSES * EACH} connections, medians of {ROUNDS}")
        for count in (1, 100):
            took = {by_fipd: [], by_conntrack: []}
            for _ in range(ROUNDS):
                for way, times in took.items():
                    fill(namespace)
                    times.append(way(tool, namespace, count))
            ours, theirs = (statistics.median(times) for times in took.values())
            print(f"{count:4} floating IP(s), {count * EACH:6} connections: fipd {ours:8.1f} ms | "
                  f"conntrack -D {theirs:9.1f} ms | ratio {ours / theirs:.3f}")


if __name__ == "__main__":
    main()
