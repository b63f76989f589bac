"""Moves between two hosts that fipd drives: added on the new host, removed from the old one.

The set-up of test_bgp_moves.py, but nobody writes a metric: the new host's fipd sees in BIRD that
the old one announces the address, takes it over with metric 512, and returns to 1024.
"""
import re

import pytest

import moves
from moves import FLOATING, FLOATING6
from waiting import wait_for

FOUR = pytest.param((("bird", "bird"), 4), id="four")
FIFTY = pytest.param((("bird", "frr"), 50), id="fifty_with_two_makes",
                     marks=[pytest.mark.slow, pytest.mark.full])


@pytest.fixture(scope="module", params=[FOUR, FIFTY])
def result(request):
    makes, times = request.param
    fabric = moves.made_for_fipd(makes, "ebgp")
    try:
        seen = moves.to_and_fro(fabric, times, moves.move_by_fipd)
        seen.moves = times
    finally:
        fabric.close()
    return seen


@pytest.mark.parametrize("router", ["router1", "router2"])
def test_the_kernel_of_a_router_changes_its_next_hop_once_a_move(result, router):
    for floating in (FLOATING, FLOATING6):
        hops = result.next_hops(router, floating)
        # The first write may be the first host's, with other attributes.
        hops = hops[hops[0] == "host1":]
        assert hops == ["host2", "host1"] * (result.moves // 2), result.changes(router, floating)


@pytest.mark.parametrize("router", ["router1", "router2", "core"])
def test_no_router_is_ever_without_a_route(result, router):
    for floating in (FLOATING, FLOATING6):
        assert result.changes(router, floating)
        assert result.times_without(router, floating) == 0, result.changes(router, floating)


@pytest.mark.parametrize("host", ["host1", "host2"])
def test_the_new_host_takes_over_by_preference_and_settles(result, host):
    for floating in (FLOATING, FLOATING6):
        written = [re.search(r"(?<=metric )\d+", line)[0] for line in result.changes(host, floating)
                   if "table 172" in line and not line.startswith("Deleted")]
        assert written == ["1024", "512", "1024"] * (result.moves // 2), written


def test_no_packet_is_lost_where_the_instance_answers_on_both_hosts(result):
    probe, probe6 = result.probes
    print(f"sent {probe.sent} and {probe6.sent}, longest gap {1000 * probe.longest_gap:.1f} ms and "
          f"{1000 * probe6.longest_gap:.1f} ms")
    # Nothing short of 500 a second while the moves last, of which each takes the settling time.
    assert min(probe.sent, probe6.sent) > 500 * result.moves * moves.SETTLE
    assert probe.lost == 0
    # FRR replaces an IPv6 route in the kernel by taking it away first.
    assert probe6.lost <= (result.moves // 10 if result.moves > 10 else 0)


def test_both_hosts_show_each_other_while_both_are_bound():
    fabric = moves.made_for_fipd(("bird", "bird"), None, settle=60)
    try:
        first, second = fabric.hosts
        second.fipd.announce(FLOATING, second.instance.fixed)
        second.fipd.wait_log(FLOATING, "is also announced by")
        row = wait_for(lambda: first.fipd.row(FLOATING).get("also_announced_by")
                       and first.fipd.row(FLOATING), 20, "the first host sees the second")
        assert "also announced by" in row["reason"]
        assert row["metric"] == 1024, "the older one takes nothing back"
    finally:
        fabric.close()
