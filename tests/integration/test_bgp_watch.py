"""What a host sees of other hosts' floating IPs, and that it makes no use of it but seeing."""
import re

import pytest

from fabric import Fabric
from waiting import wait_for

MINE, OTHERS, BOTH = "172.16.1.3", "172.16.1.4", "172.16.1.5"
SIX = {MINE: "2001:db8:1::3", OTHERS: "2001:db8:1::4", BOTH: "2001:db8:1::5"}
FAMILIES = pytest.mark.parametrize("family", [4, 6], ids=["ipv4", "ipv6"])


def of(family, floating):
    return floating if family == 4 else SIX[floating]


def announced(fabric):
    for floating, fixed in ((lambda f: f, lambda i: i.fixed), (SIX.get, lambda i: i.fixed6)):
        one, two = fabric.hosts
        one.fipd.announce(floating(MINE), fixed(one.instance))
        two.fipd.announce(floating(OTHERS), fixed(two.instance))
        for host in fabric.hosts:
            host.fipd.announce(floating(BOTH), fixed(host.instance))
    return fabric


@pytest.fixture(scope="module")
def ebgp():
    """Two hosts with an AS each: own session, and pipe; the routers offer all their paths."""
    made = announced(Fabric(hosts=2, makes=("bird", "bird"), add_paths=True,
                            examples=("two-tors.conf", "two-tors-pipe.conf")))
    yield made
    made.close()


@pytest.fixture(scope="module")
def reflected():
    """Two hosts in the AS of a route reflector."""
    made = announced(Fabric(hosts=2, makes=("bird",), ibgp_as=64500,
                            examples=("route-reflector.conf", "route-reflector.conf")))
    yield made
    made.close()


def rows(host, table, floating):
    """Routes of one table in BIRD: [(protocol, is best, all attributes)]."""
    family = "6" if ":" in floating else "4"
    length = 128 if family == "6" else 32
    text = host.bird.birdc("show", "route", f"{floating}/{length}", "table", f"{table}{family}",
                           "all")
    blocks = re.split(r"(?m)^(?=\S* +(?:unicast|unreachable) \[)", text)[1:]
    return [(re.search(r"\[(\S+)", block)[1], "] * (" in block.splitlines()[0], block)
            for block in blocks]


def wait_copy(host, table, floating):
    return wait_for(lambda: [row for row in rows(host, table, floating)
                             if row[0].startswith(("tor", "reflector"))], 10,
                    lambda: f"{host.name} sees {floating}:\n{rows(host, table, floating)}", 0.1)


def exported(host, session, floating):
    length = 128 if ":" in floating else 32
    return f"{floating}/{length}" in host.bird.birdc("show", "route", f"{floating}/{length}",
                                                     "exported", session)


def is_in_main_table(host, floating):
    family = "-6" if ":" in floating else "-4"
    return bool(host.namespace.run("ip", family, "route", "show", floating).stdout.strip())


@FAMILIES
def test_a_copy_of_another_hosts_address_is_seen_and_neither_exported_nor_installed(ebgp, family):
    one, two = ebgp.hosts
    floating = of(family, OTHERS)
    for _, _, block in wait_copy(one, "fip", floating):
        assert re.search(rf"BGP.as_path: \d+ {two.asn} {two.asn}\n", block)
    assert not exported(one, "tor1", floating) and not exported(one, "tor2", floating)
    assert not is_in_main_table(one, floating)


@FAMILIES
@pytest.mark.parametrize("number,table", [(0, "fip"), (1, "master")], ids=["own_session", "pipe"])
def test_a_copy_never_wins_over_our_own(ebgp, family, number, table):
    host, floating = ebgp.hosts[number], of(family, BOTH)
    wait_copy(host, table, floating)
    best = [protocol for protocol, is_best, _ in rows(host, table, floating) if is_best]
    assert best[0].startswith("fipd_")
    assert exported(host, "tor1", floating) and exported(host, "tor2", floating)
    assert not is_in_main_table(host, floating)


@FAMILIES
def test_through_a_pipe_all_but_our_own_reach_the_main_table(ebgp, family):
    two = ebgp.hosts[1]
    wait_copy(two, "master", of(family, MINE))
    wait_for(lambda: is_in_main_table(two, of(family, MINE)), 5, "the other's address is routed")
    assert not is_in_main_table(two, of(family, OTHERS))
    assert not exported(two, "tor1", of(family, MINE))


@FAMILIES
def test_through_a_reflector_each_host_sees_the_other(reflected, family):
    one, two = reflected.hosts
    copies = wait_copy(one, "fip", of(family, OTHERS))
    next_hop = "10.241.2.2" if family == 4 else "fd00:241:2::2"
    assert f"BGP.next_hop: {next_hop}" in copies[0][2]
    assert not exported(one, "reflector1", of(family, OTHERS))
    assert not is_in_main_table(one, of(family, OTHERS))
    assert exported(two, "reflector1", of(family, OTHERS))


@FAMILIES
def test_a_reflector_prefers_by_local_pref(reflected, family):
    """Either host overtakes the other by 512, and falls behind when it is drained."""
    one, two = reflected.hosts
    router, floating = reflected.routers[0], of(family, BOTH)
    next_hop = {host: (f"10.241.{host.number}.2" if family == 4 else f"fd00:241:{host.number}::2")
                for host in (one, two)}
    for winner, metric, preference in ((one, 512, 200), (two, 512, 200)):
        winner.fipd.stop()
        winner.route("add", floating, metric)
        # Without a preference it may be the best one before, by its age.
        path = router.wait_best(floating, lambda path, winner=winner, preference=preference:
                                path and path.next_hop == next_hop[winner]
                                and path.local_pref == preference, what="is overtaken")
        assert path.as_path == ()
        winner.route("del", floating, metric)
        winner.fipd.start()
    one.drain(floating)
    path = router.wait_best(floating, lambda path: path and path.next_hop == next_hop[two],
                            what="comes from the host that is not drained")
    assert path.local_pref == 100
    assert [each.local_pref for each in router.paths(floating) if each.drained] == [0]
    one.undrain()


def others(host, floating):
    """Who else announces it, in fipd's words; a list that may be empty."""
    row = host.fipd.row(floating)
    return (row or {}).get("also_announced_by", [])


@FAMILIES
def test_fipd_says_who_else_announces_an_address(ebgp, family):
    """Both hosts: the own session's and the pipe's; the routers send all paths."""
    floating = of(family, BOTH)
    for host, other, alone in zip(ebgp.hosts, reversed(ebgp.hosts), (MINE, OTHERS)):
        wait_for(lambda host=host, other=other:
                 any(f"AS{other.asn}" in each for each in others(host, floating)), 20,
                 lambda host=host: f"{host.name} sees it: {host.fipd.row(floating)}", 0.2)
        assert host.fipd.row(floating)["state"] == "announced"
        assert others(host, of(family, alone)) == []


@FAMILIES
def test_fipd_sees_the_other_host_through_a_reflector(reflected, family):
    """One of the two at least: the reflector sends back its best path only."""
    floating = of(family, BOTH)
    host = wait_for(lambda: [each for each in reflected.hosts if others(each, floating)], 20,
                    "one of the two sees the other", 0.2)[0]
    other = reflected.hosts[2 - host.number]
    # Its router id, as the reflector's ORIGINATOR_ID has it.
    assert others(host, floating) == [f"10.255.0.{other.number}"]
