"""The instance's tap comes and goes: the route follows, the NAT entry stays, the reason is told."""
import pytest

import kernel
import talk
from waiting import stays, wait_for

A, A6 = "172.16.1.3", "2001:db8:1::3"


@pytest.fixture
def bound(own_topology):
    own_topology.fipd.announce(A, own_topology.instance.fixed)
    own_topology.fipd.announce(A6, own_topology.instance.fixed6)
    return own_topology


def expect_waiting(topology, *words):
    row = topology.fipd.wait_state(A, "waiting")
    topology.fipd.wait_state(A6, "waiting")
    assert kernel.routes(topology.host.namespace) == {}
    for word in words:
        assert word in row["reason"], row
    topology.wait_unrouted(A)
    topology.wait_unrouted(A6)


def expect_back(topology, tap=None):
    tap = tap or topology.instance.tap
    wait_for(lambda: kernel.routes(topology.host.namespace) == {A: (tap, 1024), A6: (tap, 1024)}, 5,
             lambda: f"the routes are back: {kernel.routes(topology.host.namespace)}")
    topology.fipd.wait_state(A, "announced")
    topology.fipd.wait_state(A6, "announced")
    topology.wait_routed(A)
    topology.wait_routed(A6)
    assert talk.tcp(topology.client, A)["server"] == "instance13"
    assert talk.tcp(topology.client, A6)["server"] == "instance13"


def test_a_tap_that_goes_down_withdraws_and_its_return_announces_again(bound):
    bound.instance.lower_tap()
    expect_waiting(bound)
    bound.instance.raise_tap()
    bound.instance.namespace.ip("link set eth0 up")
    expect_back(bound)


def test_a_deleted_tap_withdraws_and_a_new_one_of_its_name_announces_again(bound):
    bound.instance.unplug()
    expect_waiting(bound)
    bound.instance.plug()
    expect_back(bound)


def test_a_deleted_tap_costs_no_reading_of_whole_tables(bound):
    """The kernel tells of its IPv6 routes one by one, and of its IPv4 routes nothing."""
    def reads():
        return bound.fipd.ctl("status", "--json").json["counters"]["kernel_reads"]
    before = reads()
    bound.instance.unplug()
    expect_waiting(bound, "leads to")
    bound.instance.plug()
    expect_back(bound)
    assert reads() == before


def test_a_renamed_tap_keeps_its_floating_ips(bound):
    host, old = bound.host.namespace, bound.instance.tap
    host.ip(f"link set {old} down", f"link set {old} name tapnew")
    bound.instance.tap = "tapnew"
    bound.instance.raise_tap()
    expect_back(bound, "tapnew")
    assert bound.fipd.row(A)["interface"] == "tapnew"


def test_a_fixed_ip_that_moves_to_another_tap_takes_its_route_along(bound):
    host = bound.host.namespace
    host.ip(f"route replace {bound.instance.fixed} dev {bound.neighbour.tap} scope link")
    wait_for(lambda: kernel.routes(host)[A] == (bound.neighbour.tap, 1024), 5, "the route follows")
    host.ip(f"route replace {bound.instance.fixed} dev {bound.instance.tap} scope link")
    expect_back(bound)


def test_a_removed_route_to_the_fixed_ip_makes_it_wait(bound):
    bound.host.namespace.ip(f"route del {bound.instance.fixed}", f"route del {bound.instance.fixed6}")
    expect_waiting(bound)
    bound.instance.raise_tap()
    expect_back(bound)


def test_a_floating_ip_of_an_instance_that_is_not_there_yet_waits_for_it(own_topology):
    own_topology.instance.unplug()
    own_topology.fipd.add(A, own_topology.instance.fixed)
    own_topology.fipd.add(A6, own_topology.instance.fixed6)
    expect_waiting(own_topology)
    stays(lambda: not own_topology.is_routed(A), 0.3, "it is not announced")
    own_topology.instance.plug()
    expect_back(own_topology)


def test_a_named_interface_is_waited_for_by_its_name(own_topology):
    own_topology.fipd.add(A, own_topology.instance.fixed, "--interface", "tapnamed")
    row = own_topology.fipd.wait_state(A, "waiting")
    assert "tapnamed" in row["reason"]
    host, old = own_topology.host.namespace, own_topology.instance.tap
    host.ip(f"link set {old} down", f"link set {old} name tapnamed")
    own_topology.instance.tap = "tapnamed"
    own_topology.instance.raise_tap()
    own_topology.fipd.wait_state(A, "announced")
    assert talk.tcp(own_topology.client, A)["server"] == "instance13"


def test_a_restart_while_the_tap_is_down_waits_and_recovers(bound):
    bound.instance.lower_tap()
    expect_waiting(bound)
    bound.fipd.restart(kill=True)
    expect_waiting(bound)
    bound.instance.raise_tap()
    bound.instance.namespace.ip("link set eth0 up")
    expect_back(bound)
