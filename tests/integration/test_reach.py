"""An association reaches a client three hops away, in both directions and from everywhere."""
import pytest

import kernel
import talk
from topology import CLIENT
from waiting import wait_for

FLOATING = {4: "172.16.1.3", 6: "2001:db8:1::3"}
SECOND = {4: "172.16.1.4", 6: "2001:db8:1::4"}
FAMILIES = pytest.mark.parametrize("family", [4, 6], ids=["ipv4", "ipv6"])


def fixed(instance, family):
    return instance.fixed if family == 4 else instance.fixed6


def client(family):
    return CLIENT[0] if family == 4 else CLIENT[1]


def announce(topology, family, instance=None, floating=None):
    floating = floating or FLOATING[family]
    topology.fipd.announce(floating, fixed(instance or topology.instance, family))
    topology.wait_routed(floating)
    return floating


@FAMILIES
def test_an_association_reaches_the_client_over_bgp_with_tcp(topology, family):
    floating = announce(topology, family)
    assert talk.tcp(topology.client, floating) == {"server": "instance13", "peer": client(family),
                                                   "data": ""}


@FAMILIES
def test_an_association_reaches_the_client_over_bgp_with_udp(topology, family):
    floating = announce(topology, family)
    answer = talk.udp(topology.client, floating)
    assert (answer["server"], answer["peer"]) == ("instance13", client(family))


@FAMILIES
def test_an_association_reaches_the_client_over_bgp_with_icmp(topology, family):
    floating = announce(topology, family)
    assert talk.ping(topology.client, floating, 10) == 10


@FAMILIES
def test_an_icmp_error_of_the_instance_reaches_the_client_under_the_floating_ip(topology, family):
    floating = announce(topology, family)
    with pytest.raises(ConnectionRefusedError):
        call = talk.UdpCall(topology.client, floating, port=7999)
        call.sock.settimeout(2)
        call.sock.send(b"nobody listens there")
        call.sock.recv(100)


def test_the_association_looks_as_operators_know_it(topology):
    floating = announce(topology, 4)
    shown = topology.host.namespace.run("ip", "-N", "route", "show", "table", "172").stdout
    assert f"{floating} dev {topology.instance.tap} proto 172 scope 253 metric 1024" in shown
    assert kernel.translations(topology.host.namespace) == {floating: "10.65.0.13"}
    assert "BGP.med: 1024" in topology.bird.route(floating)
    row = topology.fipd.shown(floating)
    assert row["state"] == "announced" and row["source"] == "api"
    assert row["announced"] == ["tor1"]


def test_ls_and_status_tell_what_is_announced_without_being_asked_to_wait(topology):
    topology.fipd.add("172.16.1.3", topology.instance.fixed)
    topology.wait_routed("172.16.1.3")
    # BIRD's sessions are looked at every two seconds.
    wait_for(lambda: topology.fipd.state("172.16.1.3") == "announced", 5, "ls says announced")
    counts = topology.fipd.ctl("status", "--json").json["floating_ips"]
    assert (counts["announced"], counts["total"]) == (1, 1)


@FAMILIES
def test_an_instance_that_calls_out_is_seen_under_its_floating_ip(topology, family):
    inside = topology.instance.namespace
    assert talk.tcp(inside, client(family))["peer"] == fixed(topology.instance, family)
    floating = announce(topology, family)
    assert talk.tcp(inside, client(family))["peer"] == floating
    assert talk.udp(inside, client(family))["peer"] == floating
    assert talk.ping(inside, client(family), 3) == 3


@FAMILIES
def test_an_instance_that_calls_an_internal_destination_keeps_its_fixed_ip(topology, family):
    announce(topology, family)
    answer = talk.tcp(topology.instance.namespace, fixed(topology.neighbour, family))
    assert (answer["server"], answer["peer"]) == ("instance14", fixed(topology.instance, family))


@FAMILIES
def test_an_instance_reaches_itself_through_its_floating_ip(topology, family):
    floating = announce(topology, family)
    answer = talk.tcp(topology.instance.namespace, floating)
    assert (answer["server"], answer["peer"]) == ("instance13", floating)
    assert talk.udp(topology.instance.namespace, floating)["server"] == "instance13"


@FAMILIES
def test_the_host_itself_reaches_a_floating_ip(topology, family):
    floating = announce(topology, family)
    assert talk.tcp(topology.host.namespace, floating)["server"] == "instance13"
    assert talk.udp(topology.host.namespace, floating)["server"] == "instance13"


@FAMILIES
def test_two_floating_ips_on_one_instance_both_reach_it_and_it_sends_from_the_lowest(topology,
                                                                                    family):
    higher = announce(topology, family, floating=SECOND[family])
    lower = announce(topology, family)
    for floating in (lower, higher):
        assert talk.tcp(topology.client, floating)["server"] == "instance13"
    assert talk.tcp(topology.instance.namespace, client(family))["peer"] == lower
    topology.fipd.remove(lower)
    wait_for(lambda: talk.tcp(topology.instance.namespace, client(family))["peer"] == higher, 5,
             "the other one takes over")


def test_of_two_floating_ips_the_primary_is_the_one_the_instance_sends_from(topology):
    announce(topology, 4)
    document = ('{"floating_ips": [{"floating": "172.16.1.4", "fixed": "10.65.0.13", '
                '"primary": true}]}')
    answer = topology.fipd.ctl("apply", "-f", "-", stdin=document)
    assert answer.code == 0, answer
    topology.fipd.wait_state("172.16.1.4", "announced")
    assert talk.tcp(topology.instance.namespace, CLIENT[0])["peer"] == "172.16.1.4"


@FAMILIES
def test_two_instances_by_floating_ips_see_on_one_host_what_they_see_on_two(two_hosts, family):
    here, there = two_hosts.instance, two_hosts.hosts[1].instances[0]
    mine, beside, far = {4: ("172.16.1.3", "172.16.1.4", "172.16.1.5"),
                         6: ("2001:db8:1::3", "2001:db8:1::4", "2001:db8:1::5")}[family]
    announce(two_hosts, family, here, mine)
    announce(two_hosts, family, two_hosts.neighbour, beside)
    two_hosts.hosts[1].fipd.announce(far, fixed(there, family))
    two_hosts.wait_routed(far)
    one = talk.tcp(here.namespace, beside)
    two = talk.tcp(here.namespace, far)
    assert (one["server"], one["peer"]) == ("instance14", mine)
    assert (two["server"], two["peer"]) == ("instance23", mine)
    for target in (beside, far):
        assert talk.udp(here.namespace, target)["peer"] == mine
        assert talk.ping(here.namespace, target, 3) == 3
