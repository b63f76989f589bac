"""Beside other people's tables: translation happens whatever their order, or status says why not."""
import contextlib
import re

import pytest

import kernel
import talk
from topology import CLIENT
from waiting import wait_for

A, A6, B = "172.16.1.3", "2001:db8:1::3", "172.16.1.4"
FAMILIES = pytest.mark.parametrize("family", [4, 6], ids=["ipv4", "ipv6"])
INTERNAL = {4: "10.65.0.0/16", 6: "fd00:65::/64"}


@contextlib.contextmanager
def masquerade(host, family):
    """As libvirt, docker and Neutron's bridges do it: an iptables-nft rule at priority 100."""
    iptables = "iptables-nft" if family == 4 else "ip6tables-nft"
    network = INTERNAL[family]
    host.run(iptables, "-t", "nat", "-A", "POSTROUTING", "-s", network, "!", "-d", network, "-j",
             "MASQUERADE")
    try:
        yield
    finally:
        host.nft(f"delete table {'ip' if family == 4 else 'ip6'} nat\n")


@contextlib.contextmanager
def foreign(host, text):
    """Somebody else's tables for the length of a block."""
    names = re.findall(r"^table (\w+ \S+)", text, re.MULTILINE)
    host.nft(text)
    try:
        yield
    finally:
        host.nft("".join(f"delete table {name}\n" for name in names))


def bind(topology):
    topology.fipd.announce(A, topology.instance.fixed)
    topology.fipd.announce(A6, topology.instance.fixed6)
    topology.wait_routed(A), topology.wait_routed(A6)


def expect_translated(topology, family):
    """In, out, and from the host; the instance without a floating IP keeps what others do to it."""
    floating, client = ((A, CLIENT[0]), (A6, CLIENT[1]))[family == 6]
    assert talk.tcp(topology.client, floating)["server"] == "instance13"
    assert talk.tcp(topology.host.namespace, floating)["server"] == "instance13"
    for call in (talk.tcp, talk.udp):
        assert call(topology.instance.namespace, client)["peer"] == floating


@FAMILIES
@pytest.mark.parametrize("order", ["before_fipd", "after_fipd"])
def test_outbound_carries_the_floating_ip_whenever_a_masquerade_was_added(topology, family, order):
    host = topology.host.namespace
    outside, client = ((topology.host.address, CLIENT[0]),
                       (topology.host.address6, CLIENT[1]))[family == 6]
    bind(topology)
    if order == "before_fipd":
        topology.fipd.stop()
        host.nft("delete table inet fipd\n")
    with masquerade(host, family):
        if order == "before_fipd":
            topology.fipd.start()
        expect_translated(topology, family)
        assert talk.tcp(topology.neighbour.namespace, client)["peer"] == outside
    expect_translated(topology, family)


DOCKER = """\
table ip nat {
  chain DOCKER {
    tcp dport 8080 dnat to 10.65.0.14:7000
  }
  chain PREROUTING {
    type nat hook prerouting priority -100; policy accept;
    fib daddr type local jump DOCKER
  }
  chain OUTPUT {
    type nat hook output priority -100; policy accept;
    ip daddr != 127.0.0.0/8 fib daddr type local jump DOCKER
  }
  chain POSTROUTING {
    type nat hook postrouting priority 100; policy accept;
    ip saddr 10.65.0.0/16 oifname "eth0" masquerade
  }
}
"""
KUBE_PROXY = """\
table ip kube-proxy {
  map service-ips {
    type ipv4_addr . inet_proto . inet_service : verdict
    elements = { 10.96.0.10 . tcp . 80 : goto service-web }
  }
  chain service-web {
    ip saddr != 10.65.0.0/16 mark set mark or 0x4000
    meta l4proto tcp dnat to 10.65.0.14:7000
  }
  chain nat-prerouting {
    type nat hook prerouting priority -100; policy accept;
    ip daddr . meta l4proto . th dport vmap @service-ips
  }
  chain nat-output {
    type nat hook output priority -100; policy accept;
    ip daddr . meta l4proto . th dport vmap @service-ips
  }
  chain nat-postrouting {
    type nat hook postrouting priority 100; policy accept;
    mark and 0x4000 == 0x4000 masquerade
  }
}
"""
FIREWALLD = """\
table inet firewalld {
  chain nat_PREROUTING {
    type nat hook prerouting priority -90; policy accept;
    iifname "eth0" tcp dport 2222 dnat ip to 10.65.0.14:7000
  }
  chain nat_POSTROUTING {
    type nat hook postrouting priority 110; policy accept;
    oifname "eth0" masquerade
  }
  chain filter_FORWARD {
    type filter hook forward priority 10; policy accept;
    ct state established,related accept
    ct status dnat accept
    iifname "tap*" accept
    meta l4proto { icmp, ipv6-icmp } accept
    reject with icmpx admin-prohibited
  }
}
"""


def test_beside_docker_both_translate(topology):
    bind(topology)
    with foreign(topology.host.namespace, DOCKER):
        expect_translated(topology, 4)
        assert talk.tcp(topology.client, topology.host.address, 8080)["server"] == "instance14"
        assert talk.tcp(topology.neighbour.namespace, CLIENT[0])["peer"] == topology.host.address


def test_beside_kube_proxy_both_translate(topology):
    bind(topology)
    with foreign(topology.host.namespace, KUBE_PROXY):
        expect_translated(topology, 4)
        for caller in (topology.host.namespace, topology.instance.namespace):
            assert talk.tcp(caller, "10.96.0.10", 80)["server"] == "instance14"


@FAMILIES
def test_beside_firewalld_with_its_masquerade_both_translate(topology, family):
    bind(topology)
    with foreign(topology.host.namespace, FIREWALLD):
        expect_translated(topology, family)
        assert talk.tcp(topology.client, topology.host.address, 2222)["server"] == "instance14"


def received_bytes(trace):
    return sum(int(size) for size in re.findall(r"recv\w+\(.* = (\d+)$", trace, re.MULTILINE))


def test_ten_thousand_foreign_intervals_are_not_read_for_an_association(topology):
    intervals = ", ".join(f"203.{n // 128}.{n % 128 * 2}.0/25" for n in range(10_000))
    host, fipd = topology.host.namespace, topology.fipd
    with foreign(host, "table inet blocklist { set s { type ipv4_addr; flags interval; "
                 f"elements = {{ {intervals} }}; }}; }}\n"):
        fipd.quiet()
        path = topology.lab.file("association.strace")
        tracer = topology.lab.start("strace", ["strace", "-f", "-q", "-s0", "-e",
                                               "trace=recvmsg,recvfrom,recvmmsg", "-o", path, "-p",
                                               fipd.process.pid])
        wait_for(lambda: _tracer_of(fipd.process.pid) == str(tracer.pid), 5, "strace looks on")
        fipd.add(B, topology.instance.fixed)
        tracer.stop()
        with open(path) as trace:
            # Whoever lists the set gets some 100 bytes for each of its elements.
            assert received_bytes(trace.read()) < 100_000
        assert kernel.translations(host)[B] == topology.instance.fixed
        assert talk.tcp(topology.host.namespace, B)["server"] == "instance13"


def _tracer_of(pid):
    with open(f"/proc/{pid}/status") as status:
        return re.search(r"TracerPid:\s+(\d+)", status.read())[1]


def test_a_forward_chain_with_policy_drop_is_named_until_it_is_gone(topology):
    bind(topology)
    assert "strict" not in topology.fipd.ctl("status").text
    with foreign(topology.host.namespace, "table inet strict { chain filter_forward { "
                 "type filter hook forward priority 0; policy drop; }; }\n"):
        assert talk.ping(topology.client, A) == 0
        wait_for(lambda: "strict" in topology.fipd.ctl("status").text, 15, "status names it")
        text = topology.fipd.ctl("status").text
        assert "filter_forward" in text and "drop" in text, text
    wait_for(lambda: "strict" not in topology.fipd.ctl("status").text, 15, "status forgets it")
    assert talk.ping(topology.client, A) == 1


def test_a_foreign_nat_chain_before_ours_is_named(topology):
    bind(topology)
    with foreign(topology.host.namespace, "table ip early { chain grabs { type nat hook prerouting "
                 "priority -150; ip daddr 172.16.1.3 dnat to 10.65.0.14; }; }\n"):
        assert talk.tcp(topology.client, A)["server"] == "instance14"
        wait_for(lambda: "early" in topology.fipd.ctl("status").text, 15, "status names it")
        text = topology.fipd.ctl("status").text
        assert "grabs" in text and "prerouting" in text, text
    wait_for(lambda: "early" not in topology.fipd.ctl("status").text, 15, "status forgets it")


def test_a_chain_that_was_there_before_fipd_is_named_and_does_not_make_it_unhealthy(topology):
    fipd = topology.fipd
    fipd.stop()
    with foreign(topology.host.namespace, "table inet strict { chain filter_forward { "
                 "type filter hook forward priority 0; policy drop; }; }\n"):
        fipd.start()
        wait_for(lambda: "strict" in fipd.ctl("status").text, 15, "status names it")
        answer = fipd.ctl("status", "--json")
        assert answer.code == 0 and answer.json["healthy"], answer
        assert any("filter_forward" in warning for warning in answer.json["warnings"])
