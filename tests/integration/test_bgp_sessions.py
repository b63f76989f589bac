"""Other shapes of sessions: two routers behind one bond, and a session per family."""
import pytest

from bird import SOON, Bird, BirdRouter, install_shipped, shipped_example
from daemon import Fipd
from fabric import link
from namespaces import Lab
from routers import Neighbor
from topology import POOLS
from waiting import wait_for

HOST_AS, ROUTER_AS = 64512, 64513
FLOATING, FLOATING6 = "172.16.1.3", "2001:db8:1::3"
PER_FAMILY = f"""\
log stderr all;
router id 10.99.0.1;
protocol device {{ }}
include "fipd.conf";
protocol bgp tor1v4 from fipd_ebgp4 {{
  local 10.99.0.1 as fipd_as; neighbor 10.99.0.2 as {ROUTER_AS}; {SOON}
}}
protocol bgp tor1v6 from fipd_ebgp6 {{
  local fd00:99::1 as fipd_as; neighbor fd00:99::2 as {ROUTER_AS}; {SOON}
}}
"""


class Segment:
    """A host and two routers on one network, 10.99.0.0/24 and fd00:99::/64: .1, .2 and .3."""

    def __init__(self):
        self.lab = Lab()
        switch = self.lab.namespace("switch")
        switch.ip("link add br0 type bridge", "link set br0 up")
        self.host = self._at(switch, "host", 1)
        self.host.ip("link add tap1 type veth peer name tap1p", "link set tap1 up",
                     "link set tap1p up")
        self.routers = [BirdRouter(self.lab, self._at(switch, f"router{number}", number + 1),
                                   f"router{number}", ROUTER_AS, f"10.99.0.{number + 1}")
                        for number in (1, 2)]
        self.bird = Bird(self.lab, self.host, "bird-host")
        install_shipped(self.bird.folder, HOST_AS, *POOLS)

    def _at(self, switch, name, number):
        namespace = self.lab.namespace(name)
        link(switch, name, namespace, "eth0")
        switch.ip(f"link set {name} master br0")
        namespace.ip(f"addr add 10.99.0.{number}/24 dev eth0",
                     f"addr add fd00:99::{number}/64 dev eth0 nodad")
        return namespace

    def start(self, text):
        for router in self.routers:
            router.start()
        self.bird.configure(text)
        self.bird.start()

    def announce(self):
        for floating in (FLOATING, FLOATING6):
            self.host.ip(f"route add {floating} dev tap1 table 172 proto 172 metric 1024")


@pytest.fixture
def segment():
    made = Segment()
    yield made
    made.lab.close()


def test_two_routers_behind_one_bond_are_told_the_same_next_hop(segment):
    for router in segment.routers:
        router.neighbors.append(Neighbor("host", router.router_id, "10.99.0.1", HOST_AS))
    segment.start(shipped_example("two-tors-bond.conf", {"64512": str(HOST_AS)}))
    segment.announce()
    for router in segment.routers:
        for floating, next_hop in ((FLOATING, "10.99.0.1"), (FLOATING6, "fd00:99::1")):
            path = router.wait_best(floating, timeout=20)
            assert (path.next_hop, path.as_path) == (next_hop, (HOST_AS, HOST_AS)), router.name
    for session in ("tor1", "tor2"):
        assert segment.bird.is_established(session)


def test_a_session_per_family_carries_only_its_own(segment):
    router = segment.routers[0]
    router.neighbors += [Neighbor("host4", "10.99.0.2", "10.99.0.1", HOST_AS),
                         Neighbor("host6", "fd00:99::2", "fd00:99::1", HOST_AS)]
    segment.start(PER_FAMILY)
    segment.announce()
    for floating in (FLOATING, FLOATING6):
        assert len(router.wait_best(floating, timeout=20).as_path) == 2

    def exported(session):
        return segment.bird.birdc("show", "route", "exported", session)
    wait_for(lambda: FLOATING in exported("tor1v4") and FLOATING6 in exported("tor1v6"), 5,
             "each family goes out")
    assert FLOATING6 not in exported("tor1v4") and FLOATING not in exported("tor1v6")
    for floating in (FLOATING, FLOATING6):
        assert len(router.paths(floating)) == 1


def test_with_a_session_per_family_fipd_asks_of_each_only_what_it_can_have(segment):
    router = segment.routers[0]
    router.neighbors += [Neighbor("host4", "10.99.0.2", "10.99.0.1", HOST_AS),
                         Neighbor("host6", "fd00:99::2", "fd00:99::1", HOST_AS)]
    segment.start(PER_FAMILY)
    for session in ("tor1v4", "tor1v6"):
        segment.bird.wait_established(session)
    segment.host.ip("route add 10.65.0.13 dev tap1", "route add fd00:65::13 dev tap1")
    fipd = Fipd(segment.lab, segment.host, "fipd", segment.bird.socket, POOLS)
    fipd.start()
    fipd.announce(FLOATING, "10.65.0.13")
    fipd.announce(FLOATING6, "fd00:65::13")
    fipd.quiet(1)  # a look at all that is missing
    for floating, session in ((FLOATING, "tor1v4"), (FLOATING6, "tor1v6")):
        row = fipd.row(floating)
        assert (row["state"], row["announced"], row["sessions"], row["reason"]) == (
            "announced", [session], 1, "")
    status = fipd.ctl("status")
    assert status.code == 0, status
