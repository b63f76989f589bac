#!/usr/bin/python3
"""The data path: new flows, packets and TCP connects a second through 1 to 100,000 floating IPs, beside
plain forwarding, connection tracking alone, the kernel's NAT by a single rule, and one iptables rule a
floating IP as Felix and Neutron write them; and what accounting, limits, guard and forwards cost. The
columns take turns, and a ratio is of two slices of the same round, so that whatever else the machine
does falls on all alike.

  datapath.py BUILD [--rounds N] [--only WORD]
"""
import argparse
import contextlib
import pathlib
import statistics

import columns

MEASURES = {"flows": 100_000, "packets": 200_000, "connects": 4_000}
A_RULE_EACH = {"flows": 2_000, "packets": 2_000, "connects": 200}

def all_columns(build):
    """(name, how many addresses, how to make it, the column that its ratio is against)."""
    tracked, many = columns.tracked, 10_000
    rows = []
    for size in (1, 1_000, many, 100_000):
        against = f"conntrack-{size}"
        rows += [(f"plain-{size}", size, columns.plain, against), (against, size, tracked, None),
                 (f"bare-nat-{size}", size, columns.bare_nat, against),
                 (f"fipd-{size}", size, columns.fipd(build), against)]
    rows += [("felix-10000", many, columns.felix, f"conntrack-{many}"),
             ("neutron-10000", many, columns.neutron, f"conntrack-{many}")]
    bounds = "in_bits = 100000000000", "new_connections = 1000000", "connections = 100000"
    for option, settings in (("no-guard", {"nat": "guard = false"}),
                             ("accounting", {"nat": "accounting = true"}),
                             ("bandwidth", {"limits": bounds[0]}),
                             ("new-limit", {"limits": bounds[1]}),
                             ("at-a-time", {"limits": bounds[2]}),
                             ("forwards", {"bindings": columns.forwards})):
        rows.append((f"fipd-{option}", many, columns.fipd(build, **settings), f"fipd-{many}"))
    return rows

def measure_all(tool, made, rounds):
    """{measure: {name: [rates]}}, in turns; the first round only warms up."""
    rates = {measure: {name: [] for name in made} for measure in MEASURES}
    for measure in MEASURES:
        for column in made.values():
            column.drop_at_the_sink(measure != "connects")
        for turn in range(rounds + 1):
            for name, column in made.items():
                amount = (A_RULE_EACH if column.slow else MEASURES)[measure]
                rate = column.rate(tool, measure, amount)
                if turn > 0:
                    rates[measure][name].append(rate)
    return rates

def report(rows, rates):
    print(f"{'':24}" + "".join(f"{measure + '/s':>16}{'ratio':>7}" for measure in MEASURES))
    for name, _, _, against in rows:
        line = f"{name:24}"
        for measure in MEASURES:
            own = rates[measure][name]
            ratio = ""
            if against:
                ratio = statistics.median(a / b for a, b in zip(own, rates[measure][against]))
                ratio = f"{ratio:.2f}"
            line += f"{statistics.median(own):16,.0f}{ratio:>7}"
        print(line, flush=True)

def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    build = options.build.resolve()
    rows = all_columns(build)
    if options.only:
        wanted = [row for row in rows if options.only in row[0]]
        against = {row[3] for row in wanted} | {f"conntrack-{row[1]}" for row in wanted}
        rows = [row for row in rows if row in wanted or row[0] in against]
    with contextlib.ExitStack() as at_end:
        made = {}
        for name, count, make, _ in rows:
            made[name] = make(name, count)
            at_end.callback(made[name].close)
        rates = measure_all(build / "tests/bench/bench_traffic", made, options.rounds)
    report(rows, rates)

if __name__ == "__main__":
    main()
