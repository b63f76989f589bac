#!/usr/bin/python3
"""What the plugin costs a Neutron API call, and how soon etcd has the change.

Two neutron-servers of one kind, with and without networking_fipd, get the same calls by turns, so
that a busy machine slows both. As root: tests/bench/neutron_api.py [ROUNDS]
"""
import os
import statistics
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

from etcd_server import Etcd  # noqa: E402
from namespaces import Lab  # noqa: E402
from neutron_server import Cloud, Neutron  # noqa: E402
from waiting import wait_for  # noqa: E402

PREFIX = "/fipd/v1/host/"


def associate(cloud, fip, port):
    """Seconds the call took, and when it was answered."""
    cloud.neutron.update("floatingip", fip["id"], port_id=port and port["id"])
    return cloud.neutron.seconds, time.monotonic()


class Side:
    def __init__(self, lab, etcd, plugin):
        neutron = Neutron(lab, etcd.endpoints, plugin=plugin, name="with" if plugin else "without",
                          settings={"networking_fipd": {"compare_interval": 3600}})
        self.cloud = Cloud(neutron)
        self.port = self.cloud.port("compute1")
        self.fip = self.cloud.floating_ip()
        self.seconds = []

    def round(self):
        seconds, answered = associate(self.cloud, self.fip, self.port)
        self.seconds.append(seconds)
        return answered

    def undo(self):
        self.seconds.append(associate(self.cloud, self.fip, None)[0])


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 40
    with Lab() as lab:
        etcd = Etcd(lab)
        plain, ours = Side(lab, etcd, False), Side(lab, etcd, True)
        key = f"{PREFIX}compute1/fip/{ours.fip['id']}"
        later = []
        for number in range(rounds + 5):
            plain.round()
            answered = ours.round()
            wait_for(lambda: etcd.get(key), 60, key, 0.001)
            later.append(max(0.0, time.monotonic() - answered))
            plain.undo()
            ours.undo()
            wait_for(lambda: not etcd.get(key), 60, key, 0.001)
            if number == 4:  # the first ones load code
                for each in (plain.seconds, ours.seconds, later):
                    each.clear()
        without, with_plugin = (statistics.median(each.seconds) for each in (plain, ours))
        print(f"associate and disassociate, {2 * rounds} calls: median {without * 1e3:.0f} ms "
              f"without the plugin, {with_plugin * 1e3:.0f} ms with it: "
              f"{with_plugin / without:.2f} times")
        later.sort()
        print(f"from the answer until etcd has the key: median {later[len(later) // 2] * 1e3:.0f} ms"
              f", p95 {later[int(len(later) * 0.95)] * 1e3:.0f} ms "
              f"({later[len(later) // 2] / with_plugin:.2f} of a call)")


if __name__ == "__main__":
    main()
