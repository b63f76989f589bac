"""What routers of three makes (BIRD, FRR, GoBGP) have of a floating IP, from announce to withdraw."""
import pytest

from fabric import Fabric
from routers import GRACEFUL_SHUTDOWN
from waiting import wait_for

FLOATING = {4: "172.16.1.3", 6: "2001:db8:1::3"}
FAMILIES = pytest.mark.parametrize("family", [4, 6], ids=["ipv4", "ipv6"])


@pytest.fixture(scope="module")
def shared_fabric():
    made = Fabric(hosts=2, makes=("bird", "frr", "gobgp"))
    yield made
    made.close()


@pytest.fixture
def fabric(shared_fabric):
    yield shared_fabric
    for host in shared_fabric.hosts:
        if not host.fipd.process.alive():
            host.fipd.start()
        host.fipd.clear()
    for router in shared_fabric.routers:
        for floating in FLOATING.values():
            router.wait_gone(floating)


def fixed(host, family):
    return host.instance.fixed if family == 4 else host.instance.fixed6


def announce(host, family, *words):
    host.fipd.announce(FLOATING[family], fixed(host, family), *words)


@FAMILIES
def test_every_make_of_router_has_an_announced_address(fabric, family):
    host = fabric.hosts[0]
    announce(host, family)
    for router in fabric.routers:
        path = router.wait_best(FLOATING[family])
        assert path.as_path == (host.asn, host.asn), router.make
        assert path.med == 1024, router.make
        assert path.communities == frozenset() and path.large == frozenset(), router.make
        prefix = f"10.24{router.number}.1." if family == 4 else f"fd00:24{router.number}:1::"
        assert path.next_hop == f"{prefix}2", router.make
    assert host.fipd.shown(FLOATING[family])["announced"] == ["tor1", "tor2", "tor3"]


@FAMILIES
def test_every_make_of_router_forgets_a_removed_address(fabric, family):
    announce(fabric.hosts[0], family)
    for router in fabric.routers:
        router.wait_best(FLOATING[family])
    fabric.hosts[0].fipd.remove(FLOATING[family])
    for router in fabric.routers:
        router.wait_gone(FLOATING[family])


@FAMILIES
def test_every_make_of_router_has_the_address_from_the_new_host_after_a_move(fabric, family):
    old, new = fabric.hosts
    announce(old, family)
    announce(new, family)
    for router in fabric.routers:
        wait_for(lambda router=router: len(router.paths(FLOATING[family])) == 2, 10,
                 f"{router.name} knows both hosts", 0.05)
    old.fipd.remove(FLOATING[family])
    for router in fabric.routers:
        router.wait_best(FLOATING[family], lambda path: path and path.origin == new.asn,
                         what=f"comes from {new.name}")
        assert len(router.paths(FLOATING[family])) == 1, router.make


@FAMILIES
def test_every_make_of_router_shows_graceful_shutdown_on_a_drained_address(fabric, family):
    host, floating = fabric.hosts[0], FLOATING[family]
    announce(host, family)
    host.drain(floating)
    for router in fabric.routers:
        path = router.wait_best(floating, lambda path: path and path.drained, what="is drained")
        assert path.communities == {GRACEFUL_SHUTDOWN}, router.make
        assert path.as_path == (host.asn,) * 4 and path.med == 4096, router.make
    host.undrain(floating)
    for router in fabric.routers:
        path = router.wait_best(floating, lambda path: path and not path.drained,
                                what="is no longer drained")
        assert path.as_path == (host.asn,) * 2, router.make


def test_a_drain_of_the_host_that_waits_returns_when_every_router_has_the_community(fabric):
    host = fabric.hosts[0]
    for family in FLOATING:
        announce(host, family)
    answer = host.fipd.ctl("drain", "--all", "--wait", "--timeout", "30s")
    assert answer.code == 0, answer
    # BIRD has told them all; what remains is their own time to take it in.
    for router in fabric.routers:
        for floating in FLOATING.values():
            router.wait_best(floating, lambda path: path and path.drained, 2, "is drained")
    host.undrain()


@FAMILIES
def test_every_make_of_router_prefers_the_other_host_while_one_is_drained(fabric, family):
    drained, other = fabric.hosts
    floating = FLOATING[family]
    announce(drained, family, "--shared")
    for router in fabric.routers:
        router.wait_best(floating)
    announce(other, family, "--shared")
    drained.drain(floating)
    for router in fabric.routers:
        router.wait_best(floating, lambda path: path and path.origin == other.asn,
                         what=f"comes from {other.name}")
    drained.undrain(floating)


@FAMILIES
def test_every_make_of_router_has_preference_and_colour_of_an_address(fabric, family):
    host, floating = fabric.hosts[0], FLOATING[family]
    colour = ["--color", "77"] if family == 4 else []
    announce(host, family, "--preference", "120", *colour)
    for router in fabric.routers:
        path = router.wait_best(floating)
        assert path.large == ({f"{host.asn}:172:77"} if colour else set()), router.make
        assert path.as_path == (host.asn,) and 512 < path.med < 1024, router.make
    host.fipd.add(floating, fixed(host, family), "--preference", "80", "--replace")
    for router in fabric.routers:
        path = router.wait_best(floating, lambda path: path and not path.large, what="has no colour")
        assert path.as_path == (host.asn,) * 3 and 1024 < path.med < 4096, router.make
