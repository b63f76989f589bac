#!/usr/bin/python3
"""The page "floating IPs" of Calico's manual for OpenStack, done with fipd: its sequence of commands by
the real openstack client, against a real Neutron with networking_fipd and a real etcd, with two compute
hosts; then what the page shows of the host, and what a client sees. Started by tests/demo.sh --neutron
when fipd is built. Every step fails loudly where what it shows is not true.
"""
import os
import shlex
import shutil
import signal
import subprocess
import sys

import talk
from bird import SOURCE
from daemon import FIPCTL
from namespaces import close_on_signals, run
from neutron_cloud import NeutronCloud, Server
from waiting import TimedOut

COLOUR = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
BOLD, GREEN, RED, PLAIN = ("\033[1m", "\033[32m", "\033[31m", "\033[0m") if COLOUR else ("",) * 4
FLOATING, FIXED = "172.16.1.3", "10.65.0.13"


class Untrue(Exception):
    pass


class Screen:
    """Prints as tests/demo.sh does, and goes on with its numbers."""

    def __init__(self, number):
        self.number = number
        self.seen = ""

    def title(self, text):
        self.number += 1
        print(f"\n{BOLD}{self.number}. {text}{PLAIN}", flush=True)

    def ok(self, text):
        print(f"   {GREEN}ok{PLAIN}  {text}", flush=True)

    def shown(self, words, text):
        """A command as it would be typed, and what it has printed."""
        self.seen = text
        print(f"   $ {words}")
        for line in text.rstrip("\n").splitlines():
            print(f"     {line}")
        sys.stdout.flush()

    def expect(self, text, why):
        if text not in self.seen:
            raise Untrue(f"{why}: no \"{text}\" above")
        self.ok(why)

    def expect_no(self, text, why):
        if text in self.seen:
            raise Untrue(f"{why}: \"{text}\" above")
        self.ok(why)


class Demo:
    def __init__(self, number):
        self.screen = Screen(number)
        self.screen.title("etcd, neutron-server with networking_fipd, two compute hosts with BIRD and "
                          "fipd, a router and a client, in namespaces")
        self.cloud = NeutronCloud(networks=False)
        self.names = []
        for host in self.cloud.hosts:
            self._name_table_of(host.namespace)
        self.screen.ok("all of them run")

    def _name_table_of(self, namespace):
        """`ip netns exec` lays /etc/netns/NAME over /etc: names for table and protocol 172."""
        folder = f"/etc/netns/{namespace.name}/iproute2"
        shutil.copytree("/etc/iproute2", folder)
        for kind in ("rt_tables.d", "rt_protos.d"):
            os.makedirs(f"{folder}/{kind}", exist_ok=True)
            shutil.copy(f"{SOURCE}/conf/iproute2/{kind}/fipd.conf", f"{folder}/{kind}/")
        self.names.append(namespace.name)

    def close(self):
        for name in self.names:
            shutil.rmtree(f"/etc/netns/{name}", ignore_errors=True)
        if os.path.isdir("/etc/netns") and not os.listdir("/etc/netns"):
            os.rmdir("/etc/netns")
        self.cloud.close()

    def openstack(self, words, undo=""):
        """The command as on the page's machine, and its output."""
        text = self.cloud.neutron.openstack(*shlex.split(words), undo=undo.split())
        self.screen.shown(f"openstack {words}", text)
        return text

    def create(self, kind, words, name):
        shown = " ".join(f"-c {column}" for column in ("id", "name", "status"))
        self.openstack(f"{kind} create {words} {shown}", undo=f"{kind} delete {name}")

    def on(self, host, *words, check=True):
        done = run("ip", "netns", "exec", host.namespace.name, *words, check=check)
        self.screen.shown(f"{host.name}# {' '.join(words)}", done.stdout + done.stderr)

    def fipctl(self, host, *words):
        done = run(FIPCTL, "--socket", host.fipd.socket, *words, check=False)
        self.screen.shown(f"{host.name}# fipctl {' '.join(words)}", done.stdout + done.stderr)

    def etcdctl(self, prefix):
        words = ["etcdctl", "--endpoints", self.cloud.etcd.endpoints[0], "get", "--prefix", prefix]
        done = self.cloud.controller.run(*words, env={**os.environ, "ETCDCTL_API": "3"})
        self.screen.shown(f"controller# ETCDCTL_API=3 {' '.join(words)}", done.stdout)

    def ask(self, who, namespace, address):
        answer = talk.tcp(namespace, address)
        if answer is None:
            raise Untrue(f"{who} -> {address}: nobody answers")
        self.screen.shown(f"{who} connects to {address}:{talk.PORT}",
                          f"this is {answer['server']}, you are {answer['peer']}")

    # The story.

    def networks(self):
        self.screen.title("Tenant network and subnet")
        self.create("network", "--share calico", "calico")
        self.create("subnet", "--network calico --gateway 10.65.0.1 --subnet-range 10.65.0.0/24 "
                    "calico-v4", "calico-v4")
        self.screen.title("External network and subnet: here floating IPs are allocated from")
        self.create("network", "--external public", "public")
        self.create("subnet", "--network public --no-dhcp --subnet-range 172.16.1.0/24 public-v4",
                    "public-v4")
        self.screen.title("A router between the two")
        self.create("router", "router1", "router1")
        self.openstack("router add subnet router1 calico-v4",
                       undo="router remove subnet router1 calico-v4")
        self.openstack("router set --external-gateway public router1")

    def boot(self, name, host, fixed):
        """What Nova does: a port, bound to a host; there the tap, and the instance behind it."""
        self.create("port", f"--network calico --fixed-ip ip-address={fixed} --host {host.name} "
                    f"--device-owner compute:nova {name}", name)
        port, = self.cloud.neutron.list("port", f"?name={name}")
        return Server(self.cloud, host, port)

    def instances(self):
        first, second = self.cloud.hosts
        self.screen.title("Two instances, one on each compute host (nova boot)")
        return self.boot("vm1", first, FIXED), self.boot("vm2", second, "10.65.0.23")

    def associate(self, server):
        self.screen.title("A floating IP, associated with the instance's port")
        # Neutron takes any free one: the page's own is asked for by name.
        self.create("floating ip", f"--floating-ip-address {FLOATING} public", FLOATING)
        self.openstack(f"floating ip set --port {server.port['id']} {FLOATING}")
        self.announced_by(server)
        self.screen.ok("the router's kernel routes it to the compute host")

    def announced_by(self, server):
        fip, = self.cloud.neutron.list("floatingip")
        self.cloud.serves(fip, server, 30)
        self.cloud.has_status(fip, "ACTIVE", 30)

    def listings(self, server):
        self.screen.title(f"What {server.host.name} has now, as the page shows it")
        self.on(server.host, "ip", "r")
        self.screen.expect(f"{FIXED} dev {server.tap} scope link", "the instance behind its tap")
        self.on(server.host, "ip", "route", "show", "table", "fipd")
        self.screen.expect(f"{FLOATING} dev {server.tap} proto fipd scope link",
                           "the floating IP is routed to the instance's tap")
        self.on(server.host, "nft", "list", "table", "inet", "fipd")
        self.screen.expect(f"{FLOATING} : {FIXED}", "and translated to its fixed IP")
        self.screen.expect(f"{FIXED} : {FLOATING}", "and back")
        self.fipctl(server.host, "ls")
        self.screen.expect("announced", "fipd knows that it is announced")

    def in_between(self, server):
        self.screen.title("On the way there: etcd, and what Neutron hears back")
        self.etcdctl(f"/fipd/v1/host/{server.host.name}/")
        self.screen.expect(f'"interface": "{server.tap}"', "the host is told tap and addresses")
        self.etcdctl(f"/fipd/v1/status/{server.host.name}/fip/")
        self.screen.expect('"announced"', "and says how it stands")
        self.openstack(f"floating ip show {FLOATING} -c floating_ip_address -c fixed_ip_address -c status")
        self.screen.expect("ACTIVE", "the user sees it")
        self.openstack("network agent list")
        self.screen.expect("compute2", "each fipd is an agent")

    def at_the_router(self, server):
        self.screen.title("At the router")
        bird = self.cloud.topology.bird
        words = ["birdc", "-s", bird.socket, "show", "route", f"{FLOATING}/32"]
        self.screen.shown(f"router# {' '.join(words)}", run(*words).stdout)
        self.screen.expect(server.host.address, f"the floating IP leads to {server.host.name}")

    def packets(self, server):
        self.screen.title("The client and the instance")
        done = self.cloud.client.run("ping", "-n", "-c", "3", "-i", "0.2", "-W", "2", FLOATING,
                                     check=False)
        self.screen.shown(f"client# ping -c 3 {FLOATING}", done.stdout)
        self.screen.expect(" 0% packet loss", "ping")
        self.ask("the client", self.cloud.client, FLOATING)
        self.screen.expect(f"this is {server.name}, you are 198.51.100.2", "TCP reaches the instance")
        self.ask("the instance", server.namespace, "198.51.100.2")
        self.screen.expect(f"you are {FLOATING}", "what it begins itself comes from the floating IP")

    def move(self, source, target):
        self.screen.title("The floating IP moves to the instance on the other host")
        self.only_on(source, "before: its route is here", "and not here")
        self.openstack(f"floating ip set --port {target.port['id']} {FLOATING}")
        self.announced_by(target)
        self.only_on(target, "after: its route is here now", "and here no more")
        self.ask("the client", self.cloud.client, FLOATING)
        self.screen.expect(f"this is {target.name}", "the client reaches the other instance")

    def only_on(self, server, here, elsewhere):
        """Its own host first, then the others."""
        for host in sorted(self.cloud.hosts, key=lambda host: host is not server.host):
            # The kernel has no such table, and `ip` says so, before the first route is in it.
            self.on(host, "ip", "route", "show", "table", "fipd", check=False)
            if host is server.host:
                self.screen.expect(f"{FLOATING} dev {server.tap}", here)
            else:
                self.screen.expect_no(FLOATING, elsewhere)

    def disassociate(self):
        self.screen.title("Disassociated")
        self.openstack(f"floating ip unset --port {FLOATING}")
        fip, = self.cloud.neutron.list("floatingip")
        self.cloud.is_nowhere(fip, 30)
        for host in self.cloud.hosts:
            self.fipctl(host, "ls")
            self.screen.expect_no(FLOATING, f"nothing of it is left on {host.name}")
        self.cloud.has_status(fip, "DOWN", 30)
        self.screen.ok("no route, no translation, nothing at the router, DOWN in Neutron")

    def run(self):
        self.networks()
        first, second = self.instances()
        self.associate(first)
        self.listings(first)
        self.in_between(first)
        self.at_the_router(first)
        self.packets(first)
        self.move(first, second)
        self.disassociate()
        return first

    def stay(self, server):
        """--keep: until Ctrl-C."""
        self.cloud.neutron.openstack("floating", "ip", "set", "--port", server.port["id"], FLOATING)
        self.announced_by(server)
        host, neutron = server.host, self.cloud.neutron
        print(f"""
{BOLD}All is still running{PLAIN}, with {FLOATING} associated with vm1 again. In another terminal:
  export OS_AUTH_TYPE=none OS_ENDPOINT=http://{neutron.host}:{neutron.port}
  ip netns exec {self.cloud.controller.name} openstack floating ip list
  {FIPCTL} --socket {host.fipd.socket} monitor
  ip netns exec {host.namespace.name} ip route show table fipd
  ip netns exec {host.namespace.name} nft list table inet fipd
  ip netns exec {self.cloud.client.name} ping {FLOATING}
  less {self.cloud.lab.file(host.name + '.log')}
Ctrl-C here ends it, and leaves nothing behind.""", flush=True)
        signal.pause()


def main():
    close_on_signals()
    demo = None
    try:
        demo = Demo(int(os.environ.get("FIPD_DEMO_STEPS", "0")))
        server = demo.run()
        print(f"\n{GREEN}All of it was true.{PLAIN}", flush=True)
        if "--keep" in sys.argv[1:]:
            demo.stay(server)
    except (AssertionError, TimedOut, Untrue, subprocess.SubprocessError) as error:
        print(f"   {RED}FAILED{PLAIN}  {error}", file=sys.stderr)
        if demo:
            print(demo.cloud.report(), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    finally:
        if demo:
            demo.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
