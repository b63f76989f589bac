"""Hosts between a source and a sink, each in namespaces of its own, for datapath.py and others: by
plain forwarding, connection tracking alone, a bare NAT rule, fipd, and iptables rules as others write
them."""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

FLOATING, FIXED = 0xAC100000, 0x0A400000  # 172.16.0.0, 10.64.0.0
def address(value):
    return ".".join(str(value >> shift & 255) for shift in (24, 16, 8, 0))


def shell(*words, stdin=None, check=True):
    done = subprocess.run([str(word) for word in words], input=stdin, text=True,
                          capture_output=True)
    if check and done.returncode != 0:
        sys.exit(f"{' '.join(map(str, words))}: {done.stderr or done.stdout}")
    return done.stdout


class Column:
    """source - host - sink, and what the host does with the packets in between."""

    def __init__(self, name, count, base, slow=False):
        self.name, self.count, self.base, self.slow = name, count, base, slow
        self.spaces = {role: f"fipd-bench-{os.getpid()}-{name}-{role}"
                       for role in ("source", "host", "sink")}
        try:
            self._wire()
        except BaseException:
            self.close()
            raise

    def _wire(self):
        for space in self.spaces.values():
            shell("ip", "netns", "add", space)
            shell("ip", "-n", space, "link", "set", "lo", "up")
        source, host, sink = (self.spaces[role] for role in ("source", "host", "sink"))
        for outer, inside, peer in ((source, "uplink", "out"), (sink, "tap1", "in")):
            shell("ip", "link", "add", "name", inside, "netns", host, "type", "veth", "peer", "name", peer,
                  "netns", outer)
        self._addresses(source, host, sink)
        shell("ip", "netns", "exec", host, "sysctl", "-qw", "net.ipv4.ip_forward=1",
              "net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.uplink.rp_filter=0",
              "net.ipv4.conf.tap1.rp_filter=0")
        self.mac = json.loads(shell("ip", "-n", host, "-j", "link", "show", "uplink"))[0]["address"]

    @staticmethod
    def _addresses(source, host, sink):
        shell("ip", "-n", source, "-batch", "-", stdin="""\
addr add 198.18.0.2/15 dev out
link set out up
route add default via 198.18.0.1
""")
        shell("ip", "-n", host, "-batch", "-", stdin="""\
addr add 198.18.0.1/15 dev uplink
addr add 10.255.0.1/30 dev tap1
link set uplink up
link set tap1 up
route add 10.64.0.0/12 via 10.255.0.2
""")
        # Every fixed IP is the sink's own: one listener hears them all.
        shell("ip", "-n", sink, "-batch", "-", stdin="""\
addr add 10.255.0.2/30 dev in
link set in up
route add default via 10.255.0.1
route add local 10.64.0.0/12 dev lo
""")
        # The sink, which drops everything, will not answer when the host asks for it again.
        mac = json.loads(shell("ip", "-n", sink, "-j", "link", "show", "in"))[0]["address"]
        shell("ip", "-n", host, "neigh", "replace", "10.255.0.2", "lladdr", mac, "dev", "tap1",
              "nud", "permanent")
        shell("ip", "netns", "exec", source, "ping", "-c1", "-W2", "198.18.0.1")

    def nft(self, text, role="host"):
        shell("ip", "netns", "exec", self.spaces[role], "nft", "-f", "-", stdin=text)

    def drop_at_the_sink(self, drop):
        """Datagrams end at the sink's door, at the least cost."""
        if drop:
            self.nft("table netdev sink { chain c { type filter hook ingress device in priority 0; "
                     "policy drop; }; }\n", "sink")
        else:
            self.nft("table netdev sink\ndelete table netdev sink\n", "sink")

    def forget_flows(self):
        shell("ip", "netns", "exec", self.spaces["host"], "conntrack", "-F", check=False)

    def rate(self, tool, measure, amount):
        """Units of `measure` a second in one slice of `amount`."""
        self.forget_flows()
        if measure == "connects":
            words = [self.spaces["source"], self.spaces["sink"]]
        else:
            words = [self.spaces["source"], "out", self.mac, self.spaces["sink"], "in"]
        return amount / float(shell(tool, measure, *words, address(self.base), self.count, amount))

    def close(self):
        for space in self.spaces.values():
            shell("ip", "netns", "del", space, check=False)


def plain(name, count):
    return Column(name, count, FIXED)


def tracked(name, count):
    column = Column(name, count, FIXED)
    column.nft("table inet track { chain c { type filter hook forward priority 0; policy accept; "
               "ct state invalid drop; }; }\n")
    return column


def bare_nat(name, count):
    """The least that translates: one rule on a map, nothing about what instances send."""
    column = Column(name, count, FLOATING)
    pairs = ", ".join(f"{address(FLOATING + i)} : {address(FIXED + i)}" for i in range(count))
    column.nft("table ip bare { map m { type ipv4_addr : ipv4_addr; elements = { " + pairs + " }; }; "
               "chain c { type nat hook prerouting priority -100; dnat to ip daddr map @m; }; }\n")
    return column


def pairs(count):
    return "".join(f'[[floating_ip]]\nfloating = "{address(FLOATING + i)}"\n'
                   f'fixed = "{address(FIXED + i)}"\ninterface = "tap1"\n\n' for i in range(count))


def forwards(count):
    """Each floating IP forwards one port of UDP and of TCP."""
    def of(i):
        return ", ".join(f'"{protocol}/7000={address(FIXED + i)}:7000"'
                         for protocol in ("tcp", "udp"))
    return "".join(f'[[floating_ip]]\nfloating = "{address(FLOATING + i)}"\n'
                   f'forwards = [{of(i)}]\ninterface = "tap1"\n\n' for i in range(count))


def fipd(build, nat="", limits="", bindings=pairs):
    """A maker of columns: fipd with more settings in [nat] and [floating_ip_limits]."""
    def make(name, count):
        column = Column(name, count, FLOATING)
        try:
            load_by_fipd(build, column, bindings(count), nat, limits)
        except BaseException:
            column.close()
            raise
        return column
    return make


def load_by_fipd(build, column, text, nat, limits):
    """Starts fipd on a binding file, and stops it again: the kernel's state stays."""
    with tempfile.TemporaryDirectory(prefix="fipd-bench-") as folder:
        path = pathlib.Path(folder)
        (path / "fips").mkdir()
        (path / "fips/all.toml").write_text(text)
        os.utime(path / "fips/all.toml", (time.time() - 60,) * 2)
        (path / "fipd.toml").write_text(
            f'[control]\nsocket = "{path}/fipd.sock"\n[store]\npath = "{path}/fipd.db"\n'
            f'[files]\ndirectory = "{path}/fips"\n[bird]\nenabled = false\n'
            f'[log]\nlevel = "error"\n[pools]\nallowed = ["172.16.0.0/12"]\n'
            f'[nat]\ninternal = ["10.64.0.0/12"]\n{nat}\n[floating_ip_limits]\n{limits}\n')
        daemon = subprocess.Popen(["ip", "netns", "exec", column.spaces["host"],
                                   build / "daemon/fipd", "--config", path / "fipd.toml"])
        try:
            wait_loaded(build, path, column, daemon)
        finally:
            daemon.terminate()
            daemon.wait()


def wait_loaded(build, path, column, daemon):
    words = [build / "daemon/control/fipctl/fipctl", "--socket", path / "fipd.sock", "status",
             "--json"]
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and daemon.poll() is None:
        done = subprocess.run(words, capture_output=True, text=True)
        if done.returncode in (0, 9):
            status = json.loads(done.stdout)
            if status["floating_ips"].get("routed", 0) == column.count:
                return
        time.sleep(0.05)
    sys.exit(f"{column.name}: fipd did not load {column.count} floating IPs")


def felix(name, count):
    """As Felix renders them: nat.go's cali-fip-dnat and cali-fip-snat."""
    lines = ["*nat", ":cali-PREROUTING - [0:0]", ":cali-OUTPUT - [0:0]",
             ":cali-POSTROUTING - [0:0]", ":cali-fip-dnat - [0:0]", ":cali-fip-snat - [0:0]",
             "-A PREROUTING -j cali-PREROUTING", "-A OUTPUT -j cali-OUTPUT",
             "-A POSTROUTING -j cali-POSTROUTING", "-A cali-PREROUTING -j cali-fip-dnat",
             "-A cali-OUTPUT -j cali-fip-dnat", "-A cali-POSTROUTING -j cali-fip-snat"]
    for i in range(count):
        outside, inside = address(FLOATING + i), address(FIXED + i)
        lines.append(f"-A cali-fip-dnat -d {outside}/32 -j DNAT --to-destination {inside}")
        lines.append(f"-A cali-fip-snat -s {inside}/32 -d {inside}/32 -j SNAT --to-source {outside}")
    return by_iptables(name, count, lines)


def neutron(name, count):
    """As Neutron's L3 agent writes them, in the router's namespace: three rules each."""
    lines = ["*nat", ":l3-PREROUTING - [0:0]", ":l3-OUTPUT - [0:0]", ":l3-float-snat - [0:0]",
             ":l3-snat - [0:0]", "-A PREROUTING -j l3-PREROUTING", "-A OUTPUT -j l3-OUTPUT",
             "-A POSTROUTING -j l3-snat", "-A l3-snat -j l3-float-snat"]
    for i in range(count):
        outside, inside = address(FLOATING + i), address(FIXED + i)
        lines.append(f"-A l3-PREROUTING -d {outside}/32 -j DNAT --to-destination {inside}")
        lines.append(f"-A l3-OUTPUT -d {outside}/32 -j DNAT --to-destination {inside}")
        lines.append(f"-A l3-float-snat -s {inside}/32 -j SNAT --to-source {outside} --random-fully")
    return by_iptables(name, count, lines)


def by_iptables(name, count, lines):
    column = Column(name, count, FLOATING, slow=True)
    shell("ip", "netns", "exec", column.spaces["host"], "iptables-nft-restore",
          stdin="\n".join([*lines, "COMMIT", ""]))
    return column


