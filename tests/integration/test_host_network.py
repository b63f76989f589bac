"""What the host's own network lacks for floating IPs, which fipd does not set: it is said."""
import contextlib

import talk
from waiting import wait_for

A, A6 = "172.16.1.3", "2001:db8:1::3"


def warnings(topology):
    return topology.fipd.ctl("status", "--json").json["warnings"]


@contextlib.contextmanager
def setting(topology, key, value, usual):
    topology.host.namespace.sysctl({key: value})
    try:
        yield
    finally:
        topology.host.namespace.sysctl({key: usual})


def test_a_host_that_does_not_forward_is_named_while_it_does_not(topology):
    topology.announce(A, topology.instance.fixed)
    assert warnings(topology) == []
    with setting(topology, "ipv4.ip_forward", 0, 1):
        wait_for(lambda: warnings(topology), 5, "status warns")
        assert [text for text in warnings(topology) if "net.ipv4.ip_forward=1" in text]
        assert talk.ping(topology.client, A) == 0, "it is true"
        answer = topology.fipd.ctl("status")
        assert answer.code == 0 and "net.ipv4.ip_forward=1" in answer.text
    wait_for(lambda: not warnings(topology), 5, "status is content")
    assert talk.ping(topology.client, A) == 1


def test_ipv6_is_named_only_where_somebody_has_it(topology):
    with setting(topology, "ipv6.conf.all.forwarding", 0, 1):
        topology.announce(A, topology.instance.fixed)
        assert warnings(topology) == []
        topology.fipd.announce(A6, topology.instance.fixed6)
        assert len(warnings(topology)) == 1
        assert "net.ipv6.conf.all.forwarding=1" in warnings(topology)[0]


def test_an_instance_whose_interface_does_not_forward_is_named(topology):
    topology.announce(A, topology.instance.fixed, "--interface", topology.instance.tap)
    tap = topology.instance.tap
    with setting(topology, f"ipv4.conf.{tap}.forwarding", 0, 1):
        wait_for(lambda: warnings(topology), 5, "status warns")
        assert [text for text in warnings(topology) if f"net.ipv4.conf.{tap}.forwarding=1" in text]
        assert talk.ping(topology.client, A) == 0, "it is true"
    wait_for(lambda: not warnings(topology), 5, "status is content")


def test_a_host_that_did_not_forward_when_fipd_started_is_named(topology):
    topology.announce(A, topology.instance.fixed)
    topology.fipd.stop()
    with setting(topology, "ipv4.ip_forward", 0, 1):
        topology.fipd.start()
        wait_for(lambda: warnings(topology), 5, "status warns")
    wait_for(lambda: not warnings(topology), 5, "status is content")


def test_show_tells_of_a_fixed_ip_that_nothing_leads_to(topology):
    fixed, tap = topology.instance.fixed, topology.instance.tap
    topology.announce(A, fixed, "--interface", tap)
    assert topology.fipd.shown(A)["reason"] == ""
    topology.host.namespace.ip(f"route del {fixed} dev {tap}")
    try:
        shown = topology.fipd.shown(A)
        assert shown["state"] == "announced"
        assert shown["reason"] == f"no local interface leads to {fixed}: see ip route get {fixed}"
    finally:
        topology.host.namespace.ip(f"route add {fixed} dev {tap} scope link")
    assert topology.fipd.shown(A)["reason"] == ""
