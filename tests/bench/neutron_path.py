#!/usr/bin/python3
"""From the answer of Neutron's API (a floating IP gets a port) to the route in the router's kernel, beside
the same key put into etcd by hand, and a bare `ip route add` on the host; by turns. As root:
neutron_path.py BUILD [ROUNDS]
"""
import os
import pathlib
import signal
import statistics
import subprocess
import sys
import time

os.environ["FIPD_BUILD"] = str(pathlib.Path(sys.argv[1]).resolve())
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))

from neutron_cloud import NeutronCloud  # noqa: E402
from router_events import RouterEvents, quantile  # noqa: E402
from waiting import wait_for  # noqa: E402

ROUNDS = int(sys.argv[2]) if len(sys.argv) > 2 else 100
BY_HAND, BARE = "172.18.0.3", "172.19.0.3"


class Path:
    def __init__(self, cloud):
        self.cloud = cloud
        self.server = cloud.boot(cloud.hosts[0])
        self.fip = cloud.floating_ip()
        self.events = RouterEvents(cloud.topology.router)
        self.calls, self.neutron, self.by_hand, self.bare = [], [], [], []

    def arrives(self, address, since):
        wait_for(lambda: address in self.events.seen, 30, f"the router has {address}", 0.0005)
        return max(0.0, self.events.seen.pop(address) - since) * 1000

    def through_neutron(self):
        address = self.fip["floating_ip_address"]
        self.cloud.associate(self.fip, self.server)
        answered = time.monotonic()
        self.calls.append(self.cloud.neutron.seconds * 1000)
        self.neutron.append(self.arrives(address, answered))
        self.cloud.associate(self.fip, None)
        self.cloud.is_nowhere(self.fip)

    def through_etcd(self):
        key = "/fipd/v1/host/compute1/fip/by-hand"
        self.cloud.etcd.put(key, {"floating": BY_HAND, "fixed": self.server.fixed, "id": "by-hand",
                                  "interface": self.server.tap})
        self.by_hand.append(self.arrives(BY_HAND, time.monotonic()))
        self.cloud.etcd.delete(key)
        wait_for(lambda: not self.cloud.kernels(BY_HAND) and
                 not self.cloud.next_hop(BY_HAND), 20, "it is gone")

    def by_ip_route(self):
        # fipd takes routes of its protocol that nobody claims away: it sleeps meanwhile.
        fipd = self.server.host.fipd
        fipd.process.send(signal.SIGSTOP)
        route = f"{BARE} dev {self.server.tap} table 172 proto 172 metric 1024"
        words = ["nsenter", f"--net={self.server.host.namespace.path}", "--", "ip", "route"]
        subprocess.run([*words, "add", *route.split()], check=True)
        self.bare.append(self.arrives(BARE, time.monotonic()))
        subprocess.run([*words, "del", *route.split()], check=True)
        wait_for(lambda: not self.cloud.next_hop(BARE), 20, "it is gone")
        fipd.process.send(signal.SIGCONT)
        fipd.ctl("status")


def main():
    # No comparison comes between, and nothing of a move lingers.
    cloud = NeutronCloud(settings={"compare_interval": 3600})
    try:
        path = Path(cloud)
        for turn in range(ROUNDS + 3):
            if turn == 3:  # warm by now
                for each in (path.calls, path.neutron, path.by_hand, path.bare):
                    each.clear()
            path.through_neutron()
            path.through_etcd()
            path.by_ip_route()
        call = statistics.median(path.calls)
        print(f"the API call itself: median {call:.0f} ms")
        for name, values in (("from its answer to the router's kernel", path.neutron),
                             ("from the return of an etcd put", path.by_hand),
                             ("from the return of `ip route add`", path.bare)):
            print(f"{name}: p50 {quantile(values, 0.5):.1f} ms, p99 {quantile(values, 0.99):.1f} ms "
                  f"({quantile(values, 0.5) / call:.3f} and {quantile(values, 0.99) / call:.3f} of a call)")
    finally:
        cloud.close()


if __name__ == "__main__":
    main()
