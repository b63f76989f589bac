"""The forward guard: a packet for a pool address that nobody here has is dropped once, and counted."""
import re

import pytest

import talk
from waiting import wait_for

NOBODY = {4: "172.16.1.99", 6: "2001:db8:1::99"}
A = {4: "172.16.1.3", 6: "2001:db8:1::3"}
FAR = {4: "172.16.1.5", 6: "2001:db8:1::5"}
FAMILIES = pytest.mark.parametrize("family", [4, 6], ids=["ipv4", "ipv6"])


class PassingBy:
    """Counts what comes to the first host for an address, where it leaves the router for it."""

    def __init__(self, topology, address):
        self._router = topology.router
        word = "ip6" if ":" in address else "ip"
        self._router.nft(f"table inet passing {{ chain c {{ type filter hook forward priority 0; "
                         f'{word} daddr {address} oifname "compute1" counter; }}; }}\n')

    def count(self):
        text = self._router.run("nft", "list", "chain", "inet", "passing", "c").stdout
        return int(re.search(r"counter packets (\d+)", text)[1])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._router.nft("delete table inet passing\n")


@pytest.fixture
def astray(topology):
    """The router still sends the addresses here: an aggregate, or a withdrawal on its way."""
    towards = [f"{NOBODY[4]} via {topology.host.address}", f"{NOBODY[6]} via {topology.host.address6}"]
    topology.router.ip(*(f"route add {line}" for line in towards))
    yield topology
    topology.router.ip(*(f"route del {line}" for line in towards))


def dropped(topology):
    """What the guard has dropped, as status tells it."""
    return topology.fipd.ctl("status", "--json").json["guard"]["packets"]


@FAMILIES
def test_a_packet_for_a_pool_address_that_nobody_has_is_dropped_once_and_counted(astray, family):
    before = dropped(astray)
    with PassingBy(astray, NOBODY[family]) as passing:
        assert talk.ping(astray.client, NOBODY[family], 10, wait=1) == 0
        assert passing.count() == 10
    wait_for(lambda: dropped(astray) == before + 10, 5, "status counts them")
    listed = astray.host.namespace.run("nft", "list", "counter", "inet", "fipd", "untranslated")
    assert int(re.search(r"packets (\d+)", listed.stdout)[1]) == dropped(astray)


def test_without_the_guard_the_packet_goes_to_and_fro_until_its_ttl_ends(astray):
    """The test above would see a loop: this is one."""
    fipd = astray.fipd
    fipd.settings["nat"]["guard"] = False
    fipd.write_config()
    assert fipd.ctl("reload").code in (0, 9)
    try:
        wait_for(lambda: "untranslated" not in astray.host.namespace.run(
            "nft", "list", "table", "inet", "fipd").stdout, 5, "the guard is gone")
        with PassingBy(astray, NOBODY[4]) as passing:
            talk.ping(astray.client, NOBODY[4])
            assert passing.count() > 20
    finally:
        del fipd.settings["nat"]["guard"]
        fipd.write_config()
        assert fipd.ctl("reload").code in (0, 9)
    wait_for(lambda: "untranslated" in astray.host.namespace.run(
        "nft", "list", "table", "inet", "fipd").stdout, 5, "the guard is back")
    with PassingBy(astray, NOBODY[4]) as passing:
        talk.ping(astray.client, NOBODY[4])
        assert passing.count() == 1


@FAMILIES
def test_an_address_in_nobodys_pool_is_forwarded_as_ever(astray, family):
    fixed = astray.instance.fixed if family == 4 else astray.instance.fixed6
    assert talk.ping(astray.client, fixed, 3) == 3


@FAMILIES
def test_an_instances_call_to_a_floating_ip_on_another_host_passes(two_hosts, family):
    there = two_hosts.hosts[1]
    far = there.instances[0]
    there.fipd.announce(FAR[family], far.fixed if family == 4 else far.fixed6)
    two_hosts.wait_routed(FAR[family])
    before = dropped(two_hosts)
    for instance in (two_hosts.instance, two_hosts.neighbour):
        assert talk.tcp(instance.namespace, FAR[family])["server"] == "instance23"
        assert talk.ping(instance.namespace, FAR[family], 3) == 3
    assert dropped(two_hosts) == before


@FAMILIES
def test_the_guard_leaves_a_removed_address_to_its_new_host(two_hosts, family):
    """After a move the old host gets the packets that were on their way; the new one serves."""
    here, there = two_hosts.hosts
    two_hosts.fipd.announce(A[family], two_hosts.instance.fixed if family == 4
                            else two_hosts.instance.fixed6)
    far = there.instances[0]
    there.fipd.announce(A[family], far.fixed if family == 4 else far.fixed6)
    here.fipd.remove(A[family])
    here.fipd.wait_state(A[family], None, 15)
    assert talk.tcp(two_hosts.client, A[family])["server"] == "instance23"
    # The first host's instances reach it where it is now.
    assert talk.tcp(two_hosts.instance.namespace, A[family])["server"] == "instance23"
