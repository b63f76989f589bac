"""An etcd, a neutron-server and a cloud, and what their tests ask of them."""
import json

from etcd_server import Etcd
from neutron_server import Cloud, Neutron, fixed_of, tap_of
from waiting import wait_for

PREFIX = "/fipd/v1/"


class Stack:
    def __init__(self, lab, server=Neutron, **options):
        self.lab = lab
        self.etcd = Etcd(lab)
        self.neutron = server(lab, self.etcd.endpoints, **options)
        self.cloud = None

    def with_cloud(self, name="cloud", **networks):
        self.cloud = Cloud(self.neutron, name, **networks)
        return self

    def hosts(self, fip):
        """{host: value} of the floating IP's keys."""
        found = {}
        for key, text in self.etcd.values(PREFIX + "host/").items():
            host, _, ident = key[len(PREFIX + "host/"):].partition("/fip/")
            if ident == fip["id"]:
                found[host] = json.loads(text)
        return found

    def index(self, fip):
        text = self.etcd.get(f"{PREFIX}index/fip/{fip['id']}")
        return json.loads(text) if text else None

    def fixed(self, port):
        return fixed_of(port)

    def value(self, fip, port, **more):
        """What a one-to-one floating IP's host is told."""
        return {"floating": fip["floating_ip_address"], "fixed": self.fixed(port),
                "id": fip["id"], "port": port["id"], "interface": tap_of(port), **more}

    def becomes(self, fip, hosts, timeout=15):
        wait_for(lambda: self.hosts(fip) == hosts, timeout, lambda: (
            f"{hosts} for {fip['id']}; etcd has {self.hosts(fip)}, index {self.index(fip)}"))

    def serves(self, fip, port, host, timeout=15, **more):
        """The floating IP is on that host only, once the handover from another has ended."""
        self.becomes(fip, {host: self.value(fip, port, **more)}, timeout)

    def is_nowhere(self, fip, reason=None, timeout=15):
        self.becomes(fip, {}, timeout)
        if reason is None:
            wait_for(lambda: self.index(fip) is None, timeout, "no index key")
        else:
            wait_for(lambda: reason in (self.index(fip) or {}).get("reason", ""), timeout,
                     lambda: f"a reason with {reason!r}, not {self.index(fip)}")

    def status(self, fip):
        return self.neutron.show("floatingip", fip["id"])["status"]

    def has_status(self, fip, status, timeout=15):
        wait_for(lambda: self.status(fip) == status, timeout,
                 lambda: f"{status}; it is {self.status(fip)}", 0.1)

    def settled(self, timeout=60):
        """fipd-neutron-sync finds no difference."""
        def equal():
            code, text = self.neutron.sync()
            assert code == 0, text
            return True
        wait_for(equal, timeout, "etcd is equal to the database", 0.5)
