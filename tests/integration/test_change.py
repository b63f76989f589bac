"""Removal and retarget: what must end ends, and nothing else."""
import pytest

import kernel
import talk
from topology import CLIENT
from waiting import wait_for

A, B = "172.16.1.3", "172.16.1.4"
A6, B6 = "2001:db8:1::3", "2001:db8:1::4"


def test_a_removed_floating_ip_is_gone_at_the_router_in_the_routes_and_in_the_nat(topology):
    topology.announce(A, topology.instance.fixed)
    topology.announce(A6, topology.instance.fixed6)
    assert talk.tcp(topology.client, A)
    for floating in (A, A6):
        topology.fipd.remove(floating)
        topology.wait_unrouted(floating)
    wait_for(lambda: not kernel.translations(topology.host.namespace), 10, "the NAT entry goes")
    assert kernel.routes(topology.host.namespace) == {}
    assert kernel.outbound(topology.host.namespace) == {}
    topology.fipd.wait_state(A, None)
    assert talk.ping(topology.client, A) == 0
    assert talk.tcp(topology.instance.namespace, CLIENT[0])["peer"] == topology.instance.fixed


def test_whoever_waits_for_a_removal_is_told_when_nothing_is_translated_any_more(topology):
    topology.announce(A, topology.instance.fixed)
    topology.announce(B, topology.instance.fixed)
    for floating in (A, B):
        gone = topology.fipd.ctl("rm", floating, "--wait", "--timeout", "20s")
        assert gone.code == 0, gone
        assert floating not in kernel.translations(topology.host.namespace)
        assert not topology.is_routed(floating)
    topology.fipd.add(A, topology.instance.fixed, "--interface", "nowhere")
    gone = topology.fipd.ctl("rm", A, "--wait=translated")
    assert gone.code == 0, gone


@pytest.mark.slow
def test_removing_one_of_two_ends_its_connections_and_leaves_the_others(topology):
    topology.announce(A, topology.instance.fixed)
    topology.announce(B, topology.neighbour.fixed)
    ends, lives = talk.TcpCall(topology.client, A), talk.TcpCall(topology.client, B)
    topology.fipd.remove(A)
    wait_for(lambda: A not in kernel.translations(topology.host.namespace), 10, "NAT is gone")
    topology.host.fipd.wait_state(A, None, 10)
    assert not ends.say()
    assert lives.say()
    ends.close(), lives.close()


def test_removing_what_is_not_there_is_not_found(topology):
    assert topology.fipd.ctl("rm", "172.16.1.200").code == 3


@pytest.mark.parametrize("a, b, which", [(A, B, "fixed"), (A6, B6, "fixed6")],
                         ids=["ipv4", "ipv6"])
def test_a_retarget_ends_the_old_tcp_and_moves_udp_at_once_while_others_live_on(topology, a, b,
                                                                               which):
    old, new = getattr(topology.instance, which), getattr(topology.neighbour, which)
    topology.announce(a, old)
    topology.announce(b, old)
    old_tcp, other_tcp = talk.TcpCall(topology.client, a), talk.TcpCall(topology.client, b)
    udp, other_udp = talk.UdpCall(topology.client, a), talk.UdpCall(topology.client, b)
    assert udp.ask()["server"] == other_udp.ask()["server"] == "instance13"
    before = topology.updates()

    topology.fipd.add(a, new, "--replace")
    wait_for(lambda: (udp.ask(tries=1) or {}).get("server") == "instance14", 1,
             "the old UDP flow goes to the new instance")
    assert talk.tcp(topology.client, a)["server"] == "instance14"
    assert not old_tcp.say()
    assert other_tcp.say()
    assert other_udp.ask()["server"] == "instance13"
    # A change of tap is one replaced route: BIRD has at most one update to send, and no withdraw.
    topology.fipd.wait_state(a, "announced")
    assert topology.updates() - before <= 1
    for call in (old_tcp, other_tcp, udp, other_udp):
        call.close()


def test_a_retarget_is_one_nft_transaction(topology):
    topology.announce(A, topology.instance.fixed)
    record = kernel.Recorder(topology.lab, topology.host.namespace, "nft")
    topology.fipd.add(A, topology.neighbour.fixed, "--replace")
    topology.fipd.quiet()
    record.stop()
    generations = [line for line in record._process.text().splitlines()
                   if line.startswith("# new generation") and "(nft)" not in line]
    assert len(generations) == 1, generations


def test_an_outgoing_connection_under_a_removed_floating_ip_ends(topology):
    topology.announce(A, topology.instance.fixed)
    call = talk.TcpCall(topology.instance.namespace, CLIENT[0])
    assert call.peer == A and call.say()
    topology.fipd.remove(A)
    topology.fipd.wait_state(A, None, 10)
    assert not call.say()
    call.close()
