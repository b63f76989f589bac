"""A whole cloud: real Neutron and etcd on a controller, compute hosts with BIRD and fipd, a router and
a client, as in topology.py. A server is a port of Neutron with an instance behind its tap.

    client - router - compute1, compute2, ... (10.240.N.2)
                    - controller 10.240.100.2: neutron-server with networking_fipd, etcd
"""
import json

import kernel
from etcd_server import Etcd
from namespaces import run
from neutron_server import Cloud, Neutron, fixed_of, tap_of
from topology import Topology
from waiting import wait_for

CONTROLLER, GATEWAY = "10.240.100.2", "10.240.100.1"


class Server:
    """What Nova would have booted: `port` as Neutron has it, `instance` as the host has it."""

    def __init__(self, cloud, host, port):
        self.cloud = cloud
        self.host = host
        self.port = port
        self.instance = host.add_instance(int(self.fixed.rsplit(".", 1)[1]), self.tap)

    @property
    def fixed(self):
        return fixed_of(self.port)

    @property
    def tap(self):
        return tap_of(self.port)

    @property
    def namespace(self):
        return self.instance.namespace

    @property
    def name(self):
        """By which its echo server greets."""
        return self.instance.name

    def move(self, host):
        """The instance goes to another host at once; Neutron is not told."""
        source = self.host
        self.instance.attach(host, "eth1")
        self.switch(host)
        self.unplug(source)

    def switch(self, host):
        """The last step of a hypervisor's migration: it stops there and goes on here."""
        host.take_over(self.instance, "eth1")
        self.host = host

    def unplug(self, host):
        host.namespace.ip(f"link del {self.tap}")

    def delete(self):
        """The instance with its tap, then the port, as Nova does."""
        self.host.remove_instance(self.instance)
        self.cloud.neutron.delete("port", self.port["id"])


class NeutronCloud:
    """settings: of networking_fipd, over those of Neutron's class; api_workers as there. networks=False:
    nothing in Neutron yet, no `model`."""

    def __init__(self, hosts=2, settings=None, api_workers=1, networks=True):
        self.topology = Topology(hosts, with_fipd=False, instances=False)
        try:
            self._build(settings or {}, api_workers, networks)
        except BaseException as error:
            logs = self.lab.logs()
            self.close()
            if isinstance(error, Exception):
                raise type(error)(f"{error}\n{logs}") from error
            raise

    def _build(self, settings, api_workers, networks):
        self.controller = self.lab.namespace("controller")
        self._connect()
        self.etcd = Etcd(self.lab, namespace=self.controller, host=CONTROLLER)
        self.neutron = Neutron(
            self.lab, self.etcd.endpoints, api_workers, self.controller, host=CONTROLLER,
            settings={"networking_fipd": {"handover": 2, **settings}})
        self.model = Cloud(self.neutron) if networks else None
        for host in self.hosts:
            host.fipd.settings["etcd"] = {"endpoints": self.etcd.endpoints, "timeout": "2s",
                                          "probe": "500ms"}
            host.fipd.settings["route"] = {"settle": "2s"}
            host.fipd.write_config()
            host.fipd.start()

    def _connect(self):
        router = self.topology.router
        run("ip", "link", "add", "name", "eth0", "netns", self.controller.name, "type", "veth",
            "peer", "name", "controller", "netns", router.name)
        router.ip("link set controller up", f"addr add {GATEWAY}/24 dev controller")
        self.controller.ip("link set eth0 up", f"addr add {CONTROLLER}/24 dev eth0",
                           f"route add default via {GATEWAY}")

    @property
    def lab(self):
        return self.topology.lab

    @property
    def hosts(self):
        return self.topology.hosts

    @property
    def client(self):
        return self.topology.client

    def boot(self, host, **fields):
        return Server(self, host, self.model.port(host.name, **fields))

    def floating_ip(self, server=None, **fields):
        return self.model.floating_ip(server.port if server else None, **fields)

    def associate(self, fip, server):
        self.neutron.update("floatingip", fip["id"], port_id=server.port["id"] if server else None)

    # What the kernels say.

    def kernels(self, floating):
        """{host: (fixed IP it translates to, interface it routes to)}, of hosts with either."""
        served = {host.name: kernel.served(host.namespace) for host in self.hosts}
        return {name: each[floating] for name, each in served.items() if floating in each}

    def next_hops(self):
        """{destination: where the router's kernel sends it}, of its routes by BGP."""
        done = self.topology.router.run("ip", "-j", "route", "show", "proto", "bird")
        return {row["dst"]: row.get("gateway") for row in json.loads(done.stdout or "[]")}

    def next_hop(self, floating):
        """None where the router has no route by BGP."""
        return self.next_hops().get(floating)

    def serves(self, fip, server, timeout=20, fixed=None):
        """Translated and routed on the server's host, known to the router, and nothing elsewhere."""
        floating = fip["floating_ip_address"]
        wanted = ({server.host.name: (fixed or server.fixed, server.tap)}, server.host.address)
        self._becomes(floating, wanted, timeout)

    def is_nowhere(self, fip, timeout=20):
        self._becomes(fip["floating_ip_address"], ({}, None), timeout)

    def _becomes(self, floating, wanted, timeout):
        def seen():
            return self.kernels(floating), self.next_hop(floating)
        wait_for(lambda: seen() == wanted, timeout,
                 lambda: f"{floating}: {wanted}; the kernels have {seen()}", 0.05)

    # What Neutron and etcd say.

    def index(self, fip):
        text = self.etcd.get(f"/fipd/v1/index/fip/{fip['id']}")
        return json.loads(text) if text else {}

    def has_status(self, fip, status, timeout=20):
        def seen():
            return self.neutron.show("floatingip", fip["id"])["status"]
        wait_for(lambda: seen() == status, timeout, lambda: f"{status}, not {seen()}", 0.1)

    def clear(self):
        """No floating IP any more, in the database and in every kernel."""
        for fip in self.neutron.list("floatingip"):
            for each in fip.get("port_forwardings", []):
                self.neutron.patiently(
                    "DELETE", f"/v2.0/floatingips/{fip['id']}/port_forwardings/{each['id']}")
            self.neutron.delete("floatingip", fip["id"])
        for host in self.hosts:
            wait_for(lambda: not kernel.translations(host.namespace) and not host.fipd.rows(), 20,
                     lambda: f"{host.name} has {host.fipd.rows()}", 0.05)

    def report(self):
        return self.topology.report()

    def close(self):
        self.topology.close()
