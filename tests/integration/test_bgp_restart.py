"""BIRD killed or restarted on a host: with -R and `bfd graceful` no router withdraws anything."""
import signal

import pytest

from fabric import Fabric
from kernel import Recorder
from waiting import wait_for

FLOATING, FLOATING6 = "172.16.1.3", "2001:db8:1::3"


class Watch:
    """What the routers lose: kernel routes of those that have some, the table of GoBGP."""

    def __init__(self, fabric):
        self._recorders = {router.name: Recorder(fabric.lab, router.namespace, "ip")
                           for router in fabric.routers if router.make != "gobgp"}
        self._gobgp = fabric.lab.start("monitor", ["gobgp", "monitor", "global", "rib"],
                                       fabric.routers[2].namespace)

    def lost(self):
        lost = {name: [line for line in recorder.stop() if line.startswith("Deleted") and
                       (f"{FLOATING} " in line or f"{FLOATING6} " in line)]
                for name, recorder in self._recorders.items()}
        lost["gobgp"] = [line for line in self._gobgp.text().splitlines() if "[DELROUTE]" in line]
        self._gobgp.stop()
        return lost


@pytest.fixture(scope="module")
def fabric():
    made = Fabric(hosts=1, makes=("bird", "frr", "gobgp"), bfd=True)
    made.hosts[0].fipd.announce(FLOATING, made.hosts[0].instance.fixed)
    made.hosts[0].fipd.announce(FLOATING6, made.hosts[0].instance.fixed6)
    yield made
    made.close()


def wait_bfd(host):
    """Both routers that speak BFD have a session with the host."""
    wait_for(lambda: host.bird.birdc("show", "bfd", "sessions").count(" Up ") == 2, 20,
             lambda: f"BFD is up\n{host.bird.birdc('show', 'bfd', 'sessions')}", 0.1)


def kill_9(bird):
    bird.kill()


def birdc_graceful_restart(bird):
    bird.birdc("graceful", "restart")
    bird.process.popen.wait(10)


def systemctl_restart_with_our_drop_in(bird):
    """ExecStop is birdc; as soon as it has returned, systemd sends SIGTERM to what is left."""
    bird.birdc("graceful", "restart")
    bird.process.send(signal.SIGTERM)
    bird.process.popen.wait(10)


@pytest.mark.slow
@pytest.mark.parametrize("end", [kill_9, birdc_graceful_restart, systemctl_restart_with_our_drop_in])
def test_no_router_withdraws_when_bird_ends_and_starts_with_recovery(fabric, end):
    host = fabric.hosts[0]
    for router in fabric.routers:
        router.wait_established()
        for floating in (FLOATING, FLOATING6):
            router.wait_best(floating)
    wait_bfd(host)
    watch = Watch(fabric)
    end(host.bird)
    # Longer than BFD needs to notice.
    host.fipd.quiet(1.5)
    host.bird.start(recover=True)
    for router in fabric.routers:
        host.bird.wait_established(f"tor{router.number}", 30)
    wait_for(lambda: "ecovery" not in host.bird.birdc("show", "status"), 20, "BIRD has recovered")
    wait_bfd(host)
    # A router that took the restart for a loss removes its stale routes at the end of the updates.
    host.fipd.quiet(1.0)
    assert watch.lost() == {"router1": [], "router2": [], "gobgp": []}
    for router in fabric.routers:
        for floating in (FLOATING, FLOATING6):
            assert router.best(floating), f"{router.make}: {floating}"
    host.fipd.wait_state(FLOATING, "announced", 20)


def sigterm(bird):
    """As `systemctl restart bird` ends it by Debian's unit: it tells its peers that it stops."""
    bird.process.send(signal.SIGTERM)
    bird.process.popen.wait(10)


@pytest.mark.slow
@pytest.mark.parametrize("end, recover", [(kill_9, False), (sigterm, True)])
def test_without_recovery_or_after_a_farewell_a_router_does_withdraw(fabric, end, recover):
    """The test above can fail. (GoBGP keeps the routes of whoever comes back in time.)"""
    host = fabric.hosts[0]
    for router in fabric.routers:
        router.wait_established()
        router.wait_best(FLOATING)
    wait_bfd(host)
    watch = Watch(fabric)
    end(host.bird)
    host.bird.start(recover=recover)
    for router in fabric.routers:
        host.bird.wait_established(f"tor{router.number}", 30)
        router.wait_best(FLOATING)
    host.fipd.quiet(1.0)
    lost = watch.lost()
    assert lost["router1"] and lost["router2"]


DEAD = ('table inet dead { chain in { type filter hook input priority -300; iifname "up*" drop; }; '
        'chain out { type filter hook output priority -300; oifname "up*" drop; }; }')


@pytest.mark.full
def test_a_dead_hosts_routes_stay_no_longer_than_the_restart_time(fabric):
    """A router cannot tell it from a restart; FRR takes BFD's word for it."""
    host = fabric.hosts[0]
    bird, frr = fabric.routers[:2]
    for router in (bird, frr):
        router.wait_best(FLOATING, timeout=20)
    wait_bfd(host)
    host.namespace.nft(DEAD)
    try:
        frr.wait_gone(FLOATING, 20)
        bird.wait_gone(FLOATING, 80)
    finally:
        host.namespace.nft("delete table inet dead")
