"""Floating IPs going to and fro between two hosts, and what the routers' kernels saw of it."""
import time

from fabric import Fabric
from kernel import Recorder
from probe import Probe
from waiting import wait_for

FLOATING, FLOATING6 = "172.16.1.3", "2001:db8:1::3"


def made(makes, core):
    """Two hosts, one per way of attaching, both translating; the first announces."""
    fabric = Fabric(hosts=2, makes=makes, core=core, with_fipd=False,
                    examples=("two-tors.conf", "two-tors-pipe.conf"))
    for host in fabric.hosts:
        host.fipd.settings["route"] = {"settle": "0ms"}   # it takes nothing over by itself
        host.fipd.write_config()
        host.fipd.start()
        host.fipd.announce(FLOATING, host.instance.fixed)
        host.fipd.announce(FLOATING6, host.instance.fixed6)
        host.fipd.stop()           # its NAT stays; the routes are steered by hand
    second = fabric.hosts[1]
    for floating in (FLOATING, FLOATING6):
        second.route("del", floating, 1024)
        fabric.wait_everywhere(
            lambda router, floating=floating: [path.origin for path in router.paths(floating)
                                               if path.as_path[0] != second.asn]
            and router.best(floating).origin == fabric.hosts[0].asn,
            what=f"{floating} comes from the first host")
    return fabric


def move(fabric, old, new):
    """By preference: the new host takes over, the old one withdraws, the new one becomes normal."""
    for floating in (FLOATING, FLOATING6):
        new.route("add", floating, 512)
    for floating in (FLOATING, FLOATING6):
        fabric.wait_everywhere(
            lambda router, floating=floating: router.best(floating).origin == new.asn,
            what=f"{floating} comes from {new.name}")
    for floating in (FLOATING, FLOATING6):
        old.route("del", floating, 1024)
    time.sleep(0.02)
    for floating in (FLOATING, FLOATING6):
        new.route("add", floating, 1024)
        new.route("del", floating, 512)
    time.sleep(0.02)


SETTLE = 1.0   # seconds, of made_for_fipd()


def made_for_fipd(makes, core, settle=SETTLE):
    """Two hosts, one per way of attaching, with a fipd each that takes over by itself."""
    fabric = Fabric(hosts=2, makes=makes, core=core, with_fipd=False,
                    examples=("two-tors.conf", "two-tors-pipe.conf"))
    first = fabric.hosts[0]
    for host in fabric.hosts:
        host.fipd.settings["route"] = {"settle": f"{1000 * settle:.0f}ms"}
        host.fipd.settings["bird"]["interval"] = "500ms"
        host.fipd.write_config()
        host.fipd.start()
    for floating, fixed in fixed_of(first):
        first.fipd.announce(floating, fixed)
        fabric.wait_everywhere(
            lambda router, floating=floating: router.best(floating).origin == first.asn,
            what=f"{floating} comes from the first host")
    return fabric


def fixed_of(host):
    return (FLOATING, host.instance.fixed), (FLOATING6, host.instance.fixed6)


def move_by_fipd(fabric, old, new):
    """As an orchestrator does it: bound on the new host, then removed from the old one."""
    since = len(new.fipd.log())
    for floating, fixed in fixed_of(new):
        new.fipd.announce(floating, fixed)
    for floating, _ in fixed_of(new):
        # Its metric is 512 for the settling time only, which a busy machine may sleep through.
        new.fipd.wait_log(f"{floating} is also announced by", timeout=10, since=since)
        fabric.wait_everywhere(
            lambda router, floating=floating: router.best(floating).origin == new.asn,
            what=f"{floating} comes from {new.name}")
    for floating, _ in fixed_of(new):
        old.fipd.remove(floating)
    for floating, _ in fixed_of(new):
        wait_for(lambda floating=floating: new.fipd.row(floating)["metric"] == 1024
                 and old.fipd.row(floating) is None, 10 + SETTLE,
                 f"{floating} is normal on {new.name}, and gone from {old.name}", 0.05)


class Result:
    def __init__(self, probes, lines):
        self.probes = probes
        self._lines = lines

    def changes(self, router, floating):
        """Lines of `ip monitor route` at a router or host about `floating`, oldest first."""
        return [line for line in self._lines[router] if f"{floating} " in line]

    def next_hops(self, router, floating):
        """To which host the router sent packets, one entry a change.

        An IPv6 route is replaced by way of one with both next hops (BIRD), or written again though
        only its BGP attributes have changed; neither is a change.
        """
        seen = []
        for line in self.changes(router, floating):
            words = line.split()
            device = words[words.index("dev") + 1] if "dev" in words else "both"
            if not line.startswith("Deleted") and device not in ("both", *seen[-1:]):
                seen.append(device)
        return seen

    def times_without(self, router, floating):
        """How often the kernel had no route, but for a replacement written as delete and add."""
        lines = self.changes(router, floating)
        return sum(line.startswith("Deleted") and
                   (after is None or after.startswith("Deleted"))
                   for line, after in zip(lines, [*lines[1:], None]))


def to_and_fro(fabric, times, move=move):
    recorders = {each.name: Recorder(fabric.lab, each.namespace, "ip")
                 for each in [*fabric.routers, fabric.core, *fabric.hosts]}
    probes = [Probe(fabric.lab, fabric.client, floating) for floating in (FLOATING, FLOATING6)]
    for probe in probes:
        wait_for(probe.answers, 5, "the probe is answered")
    old, new = fabric.hosts
    for _ in range(times):
        move(fabric, old, new)
        old, new = new, old
    time.sleep(0.2)
    for probe in probes:
        probe.finish()
    return Result(probes, {name: recorder.stop() for name, recorder in recorders.items()})
