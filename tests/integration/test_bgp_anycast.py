"""One floating IP on two hosts on purpose: routers share the traffic, a drained host gets none."""
import json

import pytest

import talk
from fabric import Fabric
from waiting import wait_for

FLOATING = {4: "172.16.1.3", 6: "2001:db8:1::3"}
FAMILIES = pytest.mark.parametrize("family", [4, 6], ids=["ipv4", "ipv6"])


@pytest.fixture(scope="module")
def fabric():
    made = Fabric(hosts=2, makes=("bird", "frr"), core="ebgp")
    for router in made.routers:
        # Ports take part in the choice of the next hop; but not at the core: the same hash there
        # would make the choice for the routers behind it.
        router.namespace.sysctl({"ipv4.fib_multipath_hash_policy": 1,
                                 "ipv6.fib_multipath_hash_policy": 1})
    yield made
    made.close()


def next_hops(router, floating):
    """The interfaces that the router's kernel spreads packets over."""
    family = "-6" if ":" in floating else "-4"
    done = router.namespace.run("ip", family, "-j", "route", "show", floating)
    rows = json.loads(done.stdout or "[]")
    hops = [hop for row in rows for hop in row.get("nexthops", [row])]
    return {hop["dev"] for hop in hops if hop["dev"].startswith("host")}


def servers(fabric, floating, calls=40):
    return [answer["server"] if answer else None
            for answer in (talk.tcp(fabric.client, floating) for _ in range(calls))]


def wait_next_hops(fabric, floating, wanted):
    wait_for(lambda: all(next_hops(router, floating) == wanted for router in fabric.routers), 15,
             lambda: f"next hops are {wanted}: "
             f"{[(each.make, next_hops(each, floating)) for each in fabric.routers]}", 0.1)


@FAMILIES
def test_routers_share_the_traffic_and_a_drain_of_one_host_moves_it(fabric, family):
    floating = FLOATING[family]
    one, two = fabric.hosts
    for host in fabric.hosts:
        fixed = host.instance.fixed if family == 4 else host.instance.fixed6
        host.fipd.announce(floating, fixed, "--shared")
    wait_next_hops(fabric, floating, {"host1", "host2"})
    assert set(servers(fabric, floating)) == {"instance11", "instance12"}
    one.drain(floating)
    wait_next_hops(fabric, floating, {"host2"})
    assert set(servers(fabric, floating)) == {"instance12"}
    one.undrain(floating)
    wait_next_hops(fabric, floating, {"host1", "host2"})
    assert set(servers(fabric, floating)) == {"instance11", "instance12"}
