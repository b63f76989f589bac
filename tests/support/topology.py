"""client - router - compute host(s) - instances, in namespaces, with real BIRDs.

    client 198.51.100.2 - 198.51.100.1 router 10.240.1.1 - 10.240.1.2 compute1 - tap... instance
                                              10.240.2.1 - 10.240.2.2 compute2 - tap... instance
Each link and address exists for IPv4 and IPv6. Fixed IPs are routed between the hosts; floating
IPs only by BGP. Instances sit behind their tap as on the reference page: a host route each, the
gateway 169.254.1.1 answered by proxy ARP.
"""
import contextlib

from bird import Bird, host_conf, router_conf
from daemon import Fipd
from namespaces import Lab, run
from talk import EchoServer
from waiting import wait_for

POOLS = ["172.16.0.0/12", "2001:db8:1::/48"]
CLIENT = ("198.51.100.2", "2001:db8:c::2")


class Instance:
    def __init__(self, lab, host, number, tap):
        self.host = host
        self.name = f"instance{number}"
        self.tap = tap
        self.fixed = f"10.65.0.{number}"
        self.fixed6 = f"fd00:65::{number}"
        self.namespace = lab.namespace(self.name)
        self.plug()
        self.server = EchoServer(self.namespace, self.name)
        lab.at_close.append(self.server.close)

    def plug(self):
        """Makes the tap and everything around it, on both sides."""
        self.attach(self.host, "eth0")
        self.use("eth0")

    def attach(self, host, device):
        """A tap on `host`, and its other end here: not used yet, as before a live migration's end."""
        run("ip", "link", "add", "name", self.tap, "netns", host.namespace.name, "type", "veth",
            "peer", "name", device, "netns", self.namespace.name)
        host.namespace.sysctl({f"ipv4.conf.{self.tap}.proxy_arp": 1,
                               f"ipv4.neigh.{self.tap}.proxy_delay": 0})
        self.raise_tap(host)

    def use(self, device):
        self.namespace.ip(f"link set {device} up",
                          f"addr replace {self.fixed}/32 dev {device}",
                          f"route replace 169.254.1.1 dev {device} scope link",
                          f"route replace default via 169.254.1.1 dev {device}",
                          f"addr replace {self.fixed6}/128 dev {device} nodad",
                          f"route replace ::/0 via fe80::1 dev {device}")

    def leave(self):
        """Nothing is heard behind the present tap any more, which keeps its carrier."""
        self.namespace.nft("table netdev left { chain ingress { type filter hook ingress device eth0 "
                           "priority 0; policy drop; }; }\n")

    def raise_tap(self, host=None):
        """Up, with the host's routes to the fixed IPs: what the cloud's agent does."""
        host = host or self.host
        host.namespace.ip(f"link set {self.tap} up",
                          f"addr replace fe80::1/64 dev {self.tap} nodad",
                          f"route replace {self.fixed} dev {self.tap} scope link",
                          f"route replace {self.fixed6} dev {self.tap}")

    def lower_tap(self):
        self.host.namespace.ip(f"link set {self.tap} down")

    def unplug(self):
        self.host.namespace.ip(f"link del {self.tap}")


class Host:
    """A compute host: namespace, BIRD, fipd, instances."""

    def __init__(self, lab, router, number):
        self.number = number
        self.name = f"compute{number}"
        self.asn = 64600 + number
        self.address = f"10.240.{number}.2"
        self.address6 = f"fd00:240:{number}::2"
        self.namespace = lab.namespace(self.name)
        self._lab = lab
        self._router = router
        self.instances = []
        run("ip", "link", "add", "name", "eth0", "netns", self.namespace.name, "type", "veth",
            "peer", "name", self.name, "netns", router.name)
        self.namespace.sysctl({"ipv4.ip_forward": 1, "ipv6.conf.all.forwarding": 1})
        self.namespace.ip("link set eth0 up",
                          f"addr add {self.address}/24 dev eth0",
                          f"addr add {self.address6}/64 dev eth0 nodad",
                          f"route add default via 10.240.{number}.1",
                          f"route add ::/0 via fd00:240:{number}::1")
        router.ip(f"link set {self.name} up",
                  f"addr add 10.240.{number}.1/24 dev {self.name}",
                  f"addr add fd00:240:{number}::1/64 dev {self.name} nodad")
        self.bird = Bird(lab, self.namespace, f"bird{number}")
        self.bird.configure(host_conf(self.bird.folder, number, self.asn, *POOLS))
        self.fipd = Fipd(lab, self.namespace, self.name, self.bird.socket, POOLS)

    def add_instance(self, number, tap):
        instance = Instance(self._lab, self, number, tap)
        self._router.ip(f"route add {instance.fixed} via {self.address}",
                        f"route add {instance.fixed6} via {self.address6}")
        self.instances.append(instance)
        return instance

    def take_over(self, instance, device):
        """The instance runs here from now on, behind the tap whose other end is `device`; the other tap
        stays, with nobody behind it."""
        instance.leave()
        instance.use(device)
        self._router.ip(f"route replace {instance.fixed} via {self.address}",
                        f"route replace {instance.fixed6} via {self.address6}")
        instance.host.instances.remove(instance)
        instance.host = self
        self.instances.append(instance)

    def remove_instance(self, instance):
        self.instances.remove(instance)
        self._router.ip(f"route del {instance.fixed}", f"route del {instance.fixed6}")
        instance.server.close()
        instance.unplug()
        self._lab.remove_namespace(instance.namespace)

    @property
    def session(self):
        """The router's name for its BGP session with this host."""
        return f"host{self.number}"


class Topology:
    """Compute hosts; two instances on the first, one on the second, unless without any."""

    def __init__(self, hosts=1, with_fipd=True, instances=True):
        self.lab = Lab()
        try:
            self._build(hosts, with_fipd, instances)
        except BaseException as error:
            logs = self.lab.logs()
            self.lab.close()
            if isinstance(error, Exception):
                raise type(error)(f"{error}\n{logs}") from error
            raise

    def _build(self, hosts, with_fipd, instances):
        lab = self.lab
        self.router = lab.namespace("router")
        self.client = lab.namespace("client")
        run("ip", "link", "add", "name", "eth0", "netns", self.client.name, "type", "veth",
            "peer", "name", "client", "netns", self.router.name)
        self.client.ip("link set eth0 up", f"addr add {CLIENT[0]}/24 dev eth0",
                       f"addr add {CLIENT[1]}/64 dev eth0 nodad",
                       "route add default via 198.51.100.1", "route add ::/0 via 2001:db8:c::1")
        self.router.sysctl({"ipv4.ip_forward": 1, "ipv6.conf.all.forwarding": 1})
        self.router.ip("link set client up", "addr add 198.51.100.1/24 dev client",
                       "addr add 2001:db8:c::1/64 dev client nodad")
        self.server = EchoServer(self.client, "client")
        lab.at_close.append(self.server.close)
        self.hosts = [Host(lab, self.router, number + 1) for number in range(hosts)]
        self.host = self.hosts[0]
        if instances:
            self._add_instances()
        self._start_routing()
        if with_fipd:
            for host in self.hosts:
                host.fipd.start()

    def _add_instances(self):
        self.host.add_instance(13, "tap9a7e0868-da")
        self.host.add_instance(14, "tap1b2c3d4e-5f")
        if len(self.hosts) > 1:
            self.hosts[1].add_instance(23, "tap5e6f7a8b-9c")
        self.instance, self.neighbour = self.host.instances[:2]

    def _start_routing(self):
        self.bird = Bird(self.lab, self.router, "bird-router")
        self.bird.configure(router_conf([(host.number, host.asn) for host in self.hosts]))
        self.bird.start()
        for host in self.hosts:
            host.bird.start()
        for host in self.hosts:
            host.bird.wait_established("tor1")
            self.bird.wait_established(host.session)

    @property
    def fipd(self):
        return self.host.fipd

    def is_routed(self, address):
        """Whether the router's kernel has learned a host route to `address` from BGP."""
        family = "-6" if ":" in address else "-4"
        done = self.router.run("ip", family, "route", "show", address, "proto", "bird", check=False)
        return bool(done.stdout.strip())

    def wait_routed(self, address, timeout=5):
        wait_for(lambda: self.is_routed(address), timeout, f"the router routes {address}")

    def wait_unrouted(self, address, timeout=5):
        wait_for(lambda: not self.is_routed(address), timeout, f"the router forgets {address}")

    def announce(self, floating, fixed, *words):
        """Returns when the router's kernel has it: BIRD exports before the router has read it."""
        self.fipd.announce(floating, fixed, *words)
        self.wait_routed(floating)

    def updates(self):
        """BGP updates and withdraws that the router has got from the first host, so far."""
        return self.bird.updates(self.host.session)

    def report(self):
        parts = []
        for host in self.hosts:
            for command in (["ip", "route", "show", "table", "172"], ["ip", "link"],
                            ["nft", "list", "ruleset"]):
                with contextlib.suppress(Exception):
                    done = host.namespace.run(*command, check=False)
                    parts.append(f"--- {host.name}: {' '.join(command)}\n{done.stdout[:6000]}")
        parts.append(self.lab.logs())
        return "\n".join(parts)

    def close(self):
        self.lab.close()
