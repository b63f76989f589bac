"""The same floating IP on two hosts on purpose: routers use both, drain of one moves the traffic."""
import json

import pytest

import talk
from bird import router_conf
from waiting import stays, wait_for

A = "172.16.1.3"


@pytest.fixture
def anycast(two_hosts):
    """A on both hosts, shared; the router has both paths at once."""
    conf = router_conf([(host.number, host.asn) for host in two_hosts.hosts])
    two_hosts.bird.configure(conf.replace("ipv4 { import none; export where",
                                          "merge paths on;\n  ipv4 { import none; export where"))
    assert "Reconfigur" in two_hosts.bird.birdc("configure")
    for host in two_hosts.hosts:
        document = {"floating_ips": [{"floating": A, "fixed": host.instances[0].fixed,
                                      "shared": True}]}
        done = host.fipd.ctl("apply", "-f", "-", "--wait=announced", stdin=json.dumps(document))
        assert done.code == 0, done
    wait_hops(two_hosts, {host.address for host in two_hosts.hosts})
    yield two_hosts
    for host in two_hosts.hosts:
        host.fipd.ctl("undrain", "--all")


def hops(topology):
    done = topology.router.run("ip", "-j", "route", "show", A, check=False)
    rows = json.loads(done.stdout or "[]")
    if not rows:
        return set()
    if "nexthops" in rows[0]:
        return {hop["gateway"] for hop in rows[0]["nexthops"]}
    return {rows[0]["gateway"]}


def wait_hops(topology, wanted):
    wait_for(lambda: hops(topology) == wanted, 8,
             lambda: f"the router uses {wanted}, not {hops(topology)}\n{topology.bird.route(A)}")


def test_a_router_uses_both_and_nobody_complains(anycast):
    for host in anycast.hosts:
        stays(lambda: host.fipd.row(A)["reason"] == "", 1.0, "shared is no conflict")
        row = host.fipd.row(A)
        assert (row["state"], row["metric"]) == ("announced", 1024)
        assert not host.fipd.ctl("status", "--json").json["problems"]


def test_drain_of_one_moves_the_traffic_and_back(anycast):
    first, second = anycast.hosts
    assert first.fipd.ctl("drain", "--all", "--wait").code == 0
    wait_hops(anycast, {second.address})
    servers = {talk.tcp(anycast.client, A)["server"] for _ in range(8)}
    assert servers == {second.instances[0].name}
    assert first.fipd.ctl("undrain", "--all").code == 0
    wait_hops(anycast, {first.address, second.address})
    assert second.fipd.ctl("drain", A, "--wait").code == 0
    wait_hops(anycast, {first.address})


def test_removal_of_one_leaves_the_other(anycast):
    first, second = anycast.hosts
    first.fipd.remove(A)
    wait_hops(anycast, {second.address})
    assert talk.tcp(anycast.client, A)["server"] == second.instances[0].name
