"""Damage by others is repaired by event, at once, and the log names who did it."""
import signal

import pytest

import kernel
import talk
from waiting import stays, wait_for

A, A6, B = "172.16.1.3", "2001:db8:1::3", "172.16.1.4"


@pytest.fixture
def bound(topology):
    topology.fipd.announce(A, topology.instance.fixed)
    topology.fipd.announce(A6, topology.instance.fixed6)
    topology.fipd.announce(B, topology.neighbour.fixed)
    return topology


def picture(host):
    return kernel.routes(host), kernel.nat(host), kernel.chains(host)


def expect_repair(topology, damage, culprit, within=3):
    """Does the damage; everything is as it was `within` seconds, and the log names `culprit`."""
    host = topology.host.namespace
    before, since = picture(host), len(topology.fipd.log())
    damage(host)
    wait_for(lambda: picture(host) == before, within,
             lambda: f"all is repaired: was {before}, is {picture(host)}")
    assert talk.tcp(topology.client, A)["server"] == "instance13"
    topology.fipd.wait_log(culprit, since=since)


def test_nft_flush_ruleset_is_repaired(bound):
    expect_repair(bound, lambda host: host.nft("flush ruleset\n"), "nft")


def test_what_began_while_there_were_no_rules_is_translated_after_them(bound):
    """`systemctl reload nftables`, of a site whose own rules track connections."""
    host, fipd = bound.host.namespace, bound.fipd
    fipd.process.send(signal.SIGSTOP)
    try:
        host.nft("flush ruleset\ntable inet site { chain forward { type filter hook forward priority 0; "
                 "ct state established,related accept; accept; }; }\n")
        call = talk.UdpCall(bound.client, A)
        assert call.ask(tries=2) is None, "tracked, and not translated"
    finally:
        fipd.process.send(signal.SIGCONT)
    wait_for(lambda: A in kernel.translations(host), 5, "the map is back")
    # From the same port: each question keeps the connection as it is.
    assert wait_for(lambda: call.ask(tries=1), 5, "the flow is translated")["server"] == "instance13"
    call.close()
    host.nft("delete table inet site\n")


def test_a_flushed_table_is_repaired(bound):
    expect_repair(bound, lambda host: host.nft("flush table inet fipd\n"), "nft")


def test_a_changed_map_element_is_repaired(bound):
    expect_repair(bound, lambda host: host.nft(
        f"delete element inet fipd fixed_by_floating {{ {A} : 10.65.0.13 }}\n"
        f"add element inet fipd fixed_by_floating {{ {A} : 10.65.0.14 }}\n"), "nft")


def test_a_removed_map_element_is_repaired(bound):
    expect_repair(bound, lambda host: host.nft(
        f"delete element inet fipd fixed_by_floating6 {{ {A6} : fd00:65::13 }}\n"), "nft")


def test_a_map_element_of_a_stranger_in_our_table_is_removed(bound):
    expect_repair(bound, lambda host: host.nft(
        "add element inet fipd fixed_by_floating { 172.16.1.111 : 10.65.0.14 }\n"), "nft")


@pytest.mark.parametrize("chain", ["prerouting", "output", "postrouting"])
def test_a_removed_chain_is_repaired(bound, chain):
    expect_repair(bound, lambda host: host.nft(
        f"flush chain inet fipd {chain}\ndelete chain inet fipd {chain}\n"), "nft")


def test_a_removed_rule_is_repaired(bound):
    expect_repair(bound, lambda host: host.nft("flush chain inet fipd prerouting\n"), "nft")


def test_a_route_deleted_by_hand_is_repaired(bound):
    expect_repair(bound, lambda host: host.ip(f"route del {A} table 172"), A)
    expect_repair(bound, lambda host: host.ip(f"route del {A6} table 172"), A6)


def test_a_flushed_routing_table_is_repaired(bound):
    expect_repair(bound, lambda host: host.ip("route flush table 172"), A)
    bound.wait_routed(B)


def test_somebody_elses_nft_commit_elsewhere_makes_fipd_write_nothing(bound):
    host = bound.host.namespace
    watch = kernel.WriteWatch(bound.lab, host)
    host.nft("table inet elsewhere { map m { type ipv4_addr : ipv4_addr; }; }\n")
    bound.fipd.quiet()
    host.nft("delete table inet elsewhere\n")
    bound.fipd.quiet()
    assert all("elsewhere" in line for line in watch.stop())


def test_a_strangers_route_in_the_table_is_reported_and_left(bound):
    host = bound.host.namespace
    since = len(bound.fipd.log())
    host.ip("route add blackhole 172.16.1.50 table 172 proto 99",
            f"route add {A} dev {bound.neighbour.tap} table 172 proto 99")
    try:
        bound.fipd.wait_log("172.16.1.50", since=since)
        bound.fipd.wait_log(A, "99", since=since)
        wait_for(lambda: "proto 99" in bound.fipd.ctl("status").text, 3, "status tells it")
        assert bound.fipd.ctl("status").code == 9
        stays(lambda: sorted(kernel.strangers(host)) == ["172.16.1.3", "172.16.1.50"], 0.5,
              "the stranger's routes are left alone")
    finally:
        host.ip("route del blackhole 172.16.1.50 table 172 proto 99",
                f"route del {A} table 172 proto 99")
    wait_for(lambda: "proto 99" not in bound.fipd.ctl("status").text, 15,
             "status forgets what is gone")
    assert kernel.routes(host)[A] == (bound.instance.tap, 1024)
