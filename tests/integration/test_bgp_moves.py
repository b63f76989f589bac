"""Moves between two hosts with an AS each: routers always have a route, no packet is lost.

Two top-of-rack routers with a link to each host, which send every host the other's routes, and a
core: BIRD and FRR in an AS each, or two BIRDs in one AS and the core their route reflector. One
host has a session of its own with each router, the other a pipe, as in conf/bird/examples.
"""
import pytest

import moves
from moves import FLOATING, FLOATING6

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module",
                params=[(("bird", "frr"), "ebgp", 50), (("bird", "bird"), "ibgp", 10)],
                ids=["fifty_with_an_as_each", "ten_with_a_route_reflector"])
def result(request):
    makes, core, times = request.param
    fabric = moves.made(makes, core)
    seen = moves.to_and_fro(fabric, times)
    seen.moves = times
    yield seen
    fabric.close()


@pytest.mark.parametrize("router", ["router1", "router2"])
def test_the_kernel_of_a_router_sees_one_change_a_move(result, router):
    changes = result.changes(router, FLOATING)
    # The first write may be the first host's, with other attributes.
    changes = changes["dev host1" in changes[0]:]
    assert len(changes) == result.moves, changes
    assert not [line for line in changes if line.startswith("Deleted")]
    for floating in (FLOATING, FLOATING6):
        hops = result.next_hops(router, floating)
        hops = hops[hops[0] == "host1":]
        assert hops == ["host2", "host1"] * (result.moves // 2), floating


@pytest.mark.parametrize("router", ["router1", "router2", "core"])
def test_no_router_is_ever_without_a_route(result, router):
    for floating in (FLOATING, FLOATING6):
        assert result.changes(router, floating)
        assert result.times_without(router, floating) == 0, result.changes(router, floating)


def test_no_packet_is_lost_where_the_instance_answers_on_both_hosts(result):
    probe, probe6 = result.probes
    print(f"sent {probe.sent} and {probe6.sent}, longest gap {1000 * probe.longest_gap:.1f} ms and "
          f"{1000 * probe6.longest_gap:.1f} ms")
    assert probe.sent > 500 and probe6.sent > 500
    assert probe.lost == 0
    # FRR replaces an IPv6 route in the kernel by taking it away first.
    assert probe6.lost <= result.moves // 10
