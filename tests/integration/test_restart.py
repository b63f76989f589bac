"""Kernel state outlives the daemon: stop, crash and restart change nothing that anybody could see."""
import os
import subprocess

import pytest

import kernel
import talk
from daemon import FIPD
from topology import CLIENT
from waiting import wait_for

A, A6, B = "172.16.1.3", "2001:db8:1::3", "172.16.1.4"


@pytest.fixture
def bound(topology):
    topology.fipd.announce(A, topology.instance.fixed)
    topology.fipd.announce(A6, topology.instance.fixed6)
    topology.fipd.announce(B, topology.neighbour.fixed)
    topology.fipd.quiet()
    return topology


def test_an_open_tcp_survives_kill_9_and_restart_without_a_lost_ping_or_a_bgp_update(bound):
    calls = [talk.TcpCall(bound.client, A), talk.TcpCall(bound.client, A6),
             talk.TcpCall(bound.instance.namespace, CLIENT[0])]
    before = bound.updates()
    pings = bound.lab.start("ping", ["ping", "-n", "-i", "0.01", "-c", "200", "-W", "1", A],
                            bound.client)
    bound.fipd.quiet(0.3)
    bound.fipd.kill()
    assert all(call.say("while it is dead") for call in calls)
    bound.fipd.quiet(0.3)
    bound.fipd.start()
    assert all(call.say("after the restart") for call in calls)
    pings.popen.wait(10)
    assert "200 packets transmitted, 200 received" in pings.text(), pings.text()[-300:]
    assert bound.updates() == before
    for call in calls:
        call.close()


@pytest.mark.parametrize("kill", [False, True], ids=["after_a_stop", "after_kill_9"])
def test_a_restart_with_nothing_changed_writes_nothing_to_routes_and_nft(bound, kill):
    host = bound.host.namespace
    watch = kernel.WriteWatch(bound.lab, host)
    routes, maps = kernel.routes(host), kernel.nat(host)
    bound.fipd.restart(kill=kill)
    bound.fipd.wait_state(A, "announced")
    bound.fipd.quiet(1.0)
    assert watch.stop() == []
    assert (kernel.routes(host), kernel.nat(host)) == (routes, maps)


def test_a_stop_leaves_routes_and_nat_in_place(bound):
    bound.fipd.stop()
    assert set(kernel.routes(bound.host.namespace)) == {A, A6, B}
    assert set(kernel.translations(bound.host.namespace)) == {A, A6, B}
    assert talk.tcp(bound.client, A)["server"] == "instance13"


def test_what_was_removed_and_added_while_it_was_down_is_put_right_at_start(bound):
    host = bound.host.namespace
    bound.fipd.stop()
    host.ip(f"route del {A} table 172")
    host.ip(f"route add 172.16.1.99 dev {bound.instance.tap} table 172 proto 172 metric 1024")
    host.nft("add element inet fipd fixed_by_floating { 172.16.1.99 : 10.65.0.13 }\n"
             f"delete element inet fipd fixed_by_floating {{ {B} : 10.65.0.14 }}\n")
    bound.fipd.start()
    wait_for(lambda: set(kernel.routes(host)) == {A, A6, B}, 5, "the routes are put right")
    wait_for(lambda: set(kernel.translations(host)) == {A, A6, B}, 10, "the NAT is put right")


def test_a_restart_of_bird_ends_with_everything_announced_again(own_topology):
    own_topology.fipd.announce(A, own_topology.instance.fixed)
    own_topology.host.bird.kill()
    assert own_topology.fipd.ctl("ls").code in (0, 9)
    own_topology.host.bird.start()
    own_topology.fipd.wait_state(A, "announced", 15)
    own_topology.wait_routed(A, 15)


def test_flush_removes_everything_that_is_ours_and_nothing_else(own_topology):
    host = own_topology.host.namespace
    own_topology.fipd.announce(A, own_topology.instance.fixed)
    host.ip("route add blackhole 172.16.9.9 table 172 proto 99")
    host.nft("table inet elsewhere { map m { type ipv4_addr : ipv4_addr; }; }\n")
    own_topology.fipd.stop()
    done = subprocess.run(host.prefix(FIPD, "--config", own_topology.fipd.config, "--flush"),
                          text=True, capture_output=True, timeout=20)
    assert done.returncode == 0, done.stdout + done.stderr
    assert kernel.routes(host) == {} and kernel.nat(host) == {}
    assert kernel.strangers(host) == ["172.16.9.9"]
    assert "elsewhere" in host.run("nft", "list", "tables").stdout
    assert os.path.exists(own_topology.fipd.store)
