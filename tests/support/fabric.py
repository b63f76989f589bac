"""Compute hosts with a link to each of several routers, whatever the routers' makes.

    client - core - router1 - host1      Host h, router r: 10.24r.h.0/24 and fd00:24r:h::/64 between:
    198.51.100.2  \\         X            the router is .1, the host .2. An AS each: routers 6450r,
                   router2 - host2       hosts 6460h, core 64500. The core, with the client, is
                                         there on request: "ebgp", or "ibgp", a route reflector of
                                         the routers, which then have its AS.
Hosts run the shipped BIRD configuration, with a session of their own per router, or one of
conf/bird/examples with this fabric's addresses in it.
"""
from bird import SOON, Bird, BirdRouter, install_shipped, shipped_example
from daemon import Fipd
from frr import Frr
from gobgp import GoBgp
from namespaces import Lab, run
from routers import Neighbor
from talk import EchoServer
from topology import CLIENT, POOLS, Instance
from waiting import wait_for

MAKES = {"bird": BirdRouter, "frr": Frr, "gobgp": GoBgp}
CORE_AS = 64500


def link(one, name_of_one, other, name_of_other):
    run("ip", "link", "add", "name", name_of_one, "netns", one.name, "type", "veth",
        "peer", "name", name_of_other, "netns", other.name)
    one.ip(f"link set {name_of_one} up")
    other.ip(f"link set {name_of_other} up")


def addresses(number, network4, network6):
    """One end of a link, as `ip addr add` wants it; number 1 is the router's."""
    return [f"{network4}.{number}/24", f"{network6}::{number}/64 nodad"]


class FabricHost:
    """A compute host: BIRD as shipped, fipd, one instance per host behind a tap."""

    def __init__(self, fabric, number, example=None, program=("bird",)):
        lab = fabric.lab
        self.number = number
        self.name = f"host{number}"
        self.asn = 64600 + number if fabric.ibgp_as is None else fabric.ibgp_as
        self.namespace = lab.namespace(self.name)
        self.namespace.sysctl({"ipv4.ip_forward": 1, "ipv6.conf.all.forwarding": 1})
        self.example = example
        self.bird = Bird(lab, self.namespace, f"{self.name}-bird", program)
        self.routers = []
        self.fipd = Fipd(lab, self.namespace, self.name, self.bird.socket, POOLS)
        # These tests write metrics by hand, and must not meet fipd's own taking over.
        self.fipd.settings["route"] = {"settle": "0ms"}
        self.fipd.write_config()
        self.instance = Instance(lab, self, 10 + number, f"tap{number}")

    def connect(self, router):
        """A cable to `router`, addresses, and a default route; the nearer router is preferred."""
        uplink = f"up{router.number}"
        link(self.namespace, uplink, router.namespace, self.name)
        net4, net6 = f"10.24{router.number}.{self.number}", f"fd00:24{router.number}:{self.number}"
        for namespace, device, end in ((self.namespace, uplink, 2),
                                       (router.namespace, self.name, 1)):
            namespace.ip(*(f"addr add {each} dev {device}" for each in addresses(end, net4, net6)))
        self.namespace.ip(
            f"route add default via {net4}.1 metric {10 * router.number}",
            f"route add ::/0 via {net6}::1 dev {uplink} metric {10 * router.number}")
        router.neighbors.append(Neighbor(self.name, f"{net4}.1", f"{net4}.2", self.asn,
                                         client=self.asn == router.asn))
        self.routers.append(router)

    def configure(self):
        install_shipped(self.bird.folder, self.asn, *POOLS)
        self.bird.configure(self._from_example() if self.example else self._own_sessions())

    def _own_sessions(self):
        head = (f"log stderr all;\nrouter id 10.255.0.{self.number};\ngraceful restart wait 10;\n"
                "protocol device { }\n"
                "protocol bfd { interface \"*\" { interval 300 ms; multiplier 3; }; }\n"
                "include \"fipd.conf\";\n")
        return head + "".join(f"""
protocol bgp tor{router.number} from fipd_{"ibgp" if router.asn == self.asn else "ebgp"} {{
  local 10.24{router.number}.{self.number}.2 as fipd_as;
  neighbor 10.24{router.number}.{self.number}.1 as {router.asn};
  {SOON}
}}
""" for router in self.routers)

    def _from_example(self):
        first = self.routers[0]
        replaced = {"10.99.0.1": f"10.24{first.number}.{self.number}.2",
                    "10.99.0.2": f"10.24{first.number}.{self.number}.1", "64512": str(self.asn)}
        for router in self.routers:
            replaced[f"10.99.{router.number}.1"] = f"10.24{router.number}.{self.number}.2"
            replaced[f"10.99.{router.number}.2"] = f"10.24{router.number}.{self.number}.1"
            replaced[str(64512 + router.number)] = str(router.asn)
        text = shipped_example(self.example, replaced)
        return text.replace(f"router id {replaced['10.99.0.1']}",
                            f"router id 10.255.0.{self.number}")

    def route(self, word, floating, metric, *more):
        """`ip route add|del` in fipd's table, by hand."""
        self.namespace.ip(f"route {word} {floating} dev {self.instance.tap} table 172 proto 172 "
                          f"metric {metric} {' '.join(more)}")

    def drain(self, floating, *words):
        answer = self.fipd.ctl("drain", floating, *words)
        assert answer.code == 0, f"fipctl drain {floating} {words}: {answer!r}"

    def undrain(self, *floating):
        answer = self.fipd.ctl("undrain", *(floating or ["--all"]))
        assert answer.code == 0, f"fipctl undrain {floating}: {answer!r}"


class Fabric:
    def __init__(self, hosts=2, makes=("bird", "bird"), core=None, bfd=False, examples=(),
                 programs=(), ibgp_as=None, add_paths=False, with_fipd=True):
        self.lab = Lab()
        self.ibgp_as = ibgp_as
        self.add_paths = add_paths
        try:
            self._build(hosts, makes, core, bfd, list(examples), list(programs))
            self._start(with_fipd)
        except BaseException as error:
            logs = self.lab.logs()
            self.lab.close()
            if isinstance(error, Exception):
                raise type(error)(f"{error}\n{logs}") from error
            raise

    def _build(self, hosts, makes, core, bfd, examples, programs):
        self.routers = []
        for number, make in enumerate(makes, 1):
            options = {"bfd": bfd} if make != "gobgp" else {}
            asn = CORE_AS if core == "ibgp" else 64500 + number
            router = MAKES[make](self.lab, self.lab.namespace(f"router{number}"), f"router{number}",
                                 self.ibgp_as or asn, f"10.24{number}.0.1", **options)
            router.number = number
            router.add_paths = self.add_paths
            router.namespace.sysctl({"ipv4.ip_forward": 1, "ipv6.conf.all.forwarding": 1})
            self.routers.append(router)
        self.hosts = [FabricHost(self, number + 1, *(examples[number:number + 1] or [None]),
                                 *programs[number:number + 1]) for number in range(hosts)]
        for host in self.hosts:
            for router in self.routers:
                host.connect(router)
            host.configure()
        self.core = self._build_core() if core else None

    def _build_core(self):
        core = BirdRouter(self.lab, self.lab.namespace("core"), "core", CORE_AS, "10.250.0.1")
        core.namespace.sysctl({"ipv4.ip_forward": 1, "ipv6.conf.all.forwarding": 1})
        for router in self.routers:
            net4, net6 = f"10.250.{router.number}", f"fd00:250:{router.number}"
            link(core.namespace, router.name, router.namespace, "core")
            for namespace, device, end in ((core.namespace, router.name, 1),
                                           (router.namespace, "core", 2)):
                namespace.ip(*(f"addr add {each} dev {device}"
                               for each in addresses(end, net4, net6)))
            router.namespace.ip(f"route add default via {net4}.1",
                                f"route add ::/0 via {net6}::1 dev core")
            core.neighbors.append(Neighbor(router.name, f"{net4}.1", f"{net4}.2", router.asn,
                                           client=router.asn == CORE_AS))
            router.neighbors.append(Neighbor("core", f"{net4}.2", f"{net4}.1", CORE_AS))
        self.client = self.lab.namespace("client")
        link(self.client, "eth0", core.namespace, "client")
        self.client.ip(f"addr add {CLIENT[0]}/24 dev eth0",
                       f"addr add {CLIENT[1]}/64 dev eth0 nodad",
                       "route add default via 198.51.100.1", "route add ::/0 via 2001:db8:c::1")
        core.namespace.ip("addr add 198.51.100.1/24 dev client",
                          "addr add 2001:db8:c::1/64 dev client nodad")
        self.server = EchoServer(self.client, "client")
        self.lab.at_close.append(self.server.close)
        return core

    def _start(self, with_fipd):
        everyone = [*self.routers, *([self.core] if self.core else [])]
        for router in everyone:
            router.start()
        for host in self.hosts:
            host.bird.start(recover=True)
        for router in everyone:
            router.wait_established()
        if with_fipd:
            for host in self.hosts:
                host.fipd.start()

    def wait_everywhere(self, condition, timeout=10, what="so at every router"):
        wait_for(lambda: all(condition(router) for router in self.routers), timeout, what, 0.05)

    def report(self):
        parts = []
        for host in self.hosts:
            for command in (["ip", "route", "show", "table", "172"], ["ip", "route"]):
                done = host.namespace.run(*command, check=False)
                parts.append(f"--- {host.name}: {' '.join(command)}\n{done.stdout[:3000]}")
            parts.append(host.bird.birdc("show", "protocols"))
        return "\n".join([*parts, self.lab.logs()])

    def close(self):
        self.lab.close()
