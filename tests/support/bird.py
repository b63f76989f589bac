"""BIRD on a host (with the shipped conf/bird/fipd.conf) and on a router, and its control client."""
import os
import re
import shutil

from namespaces import run, wait_for_socket
from routers import Path, Router, prefix
from waiting import wait_for

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


class Bird:
    def __init__(self, lab, namespace, name, program=("bird",)):
        self.lab = lab
        self.program = list(program)    # another version's, see trixie.py
        self.namespace = namespace
        self.name = name
        self.folder = lab.file(name)
        os.makedirs(self.folder)
        self.conf = f"{self.folder}/bird.conf"
        self.socket = f"{self.folder}/bird.ctl"
        self.process = None

    def configure(self, text):
        with open(self.conf, "w") as conf:
            conf.write(text)

    def start(self, recover=False):
        """`recover`: with -R, as docs/bird.md has it for /etc/bird/envvars."""
        with_socket = [*self.program, "-f", "-c", self.conf, "-s", self.socket, "-P",
                       f"{self.folder}/bird.pid", *(["-R"] if recover else [])]
        self.process = self.lab.start(self.name, with_socket, self.namespace)
        wait_for_socket(self.socket, self.process)

    def stop(self):
        self.process.stop()

    def kill(self):
        self.process.kill()
        if os.path.exists(self.socket):
            os.unlink(self.socket)

    def birdc(self, *words):
        return run("birdc", "-s", self.socket, *words, check=False).stdout

    def is_established(self, protocol):
        return "Established" in self.birdc("show", "protocols", protocol)

    def wait_established(self, protocol, timeout=15):
        wait_for(lambda: self.is_established(protocol), timeout,
                 lambda: f"{self.name}: {protocol} is established\n{self.birdc('show protocols')}",
                 interval=0.05)

    def route(self, address):
        """What `show route` prints of the host route to `address`; empty where there is none."""
        length = 128 if ":" in address else 32
        text = self.birdc("show", "route", f"{address}/{length}", "all")
        return text if f"{address}/{length}" in text else ""

    def updates(self, protocol):
        """How many updates and withdraws `protocol` has received since its start."""
        text = self.birdc("show", "protocols", "all", protocol)
        rows = re.findall(r"Import (?:updates|withdraws): +(\d+)", text)
        assert rows, f"{self.name}: no counters of {protocol} in\n{text}"
        return sum(int(row) for row in rows)


def install_shipped(folder, asn, pools4, pools6):
    """fipd.conf as it is shipped, and a fipd-local.conf as a site would write it."""
    shutil.copy(f"{SOURCE}/conf/bird/fipd.conf", folder)
    with open(f"{folder}/fipd-local.conf", "w") as local:
        local.write(f"define fipd_as = {asn};\n"
                    f"define fipd_pools4 = [ {pools4}{{32,32}} ];\n"
                    f"define fipd_pools6 = [ {pools6}{{128,128}} ];\n"
                    "define fipd_max_routes = 200000;\n"
                    "define fipd_max_watched = 200000;\n")


# A test does not wait for a session as long as an operator may.
SOON = "connect delay time 1; connect retry time 1; error wait time 1, 2;"


def shipped_example(name, replacements):
    """The text of conf/bird/examples/NAME with a site's own addresses put in."""
    with open(f"{SOURCE}/conf/bird/examples/{name}") as example:
        text = example.read()
    text = text.replace("log syslog all;", "log stderr all;")
    pattern = r"(?<![\d.])(" + "|".join(re.escape(old) for old in replacements) + r")(?![\d.])"
    text = re.sub(pattern, lambda found: replacements[found[0]], text)
    return re.sub(r"(?m)^  neighbor .*;$", lambda found: f"{found[0]}\n  {SOON}", text)


def host_conf(folder, number, asn, pools4, pools6):
    """bird.conf of a compute host, around the shipped fipd.conf, with a session of its own."""
    install_shipped(folder, asn, pools4, pools6)
    return f"""\
log stderr all;
router id 10.240.{number}.2;
graceful restart wait 10;
protocol device {{ }}
include "fipd.conf";
protocol bgp tor1 from fipd_ebgp {{
  local 10.240.{number}.2 as fipd_as;
  neighbor 10.240.{number}.1 as 64500;
  {SOON}
}}
"""


def router_conf(hosts):
    """bird.conf of the router: learns from every (number, asn) and puts it into its main table."""
    sessions = "".join(f"""
protocol bgp host{number} {{
  local 10.240.{number}.1 as 64500;
  neighbor 10.240.{number}.2 as {asn};
  {SOON}
  graceful restart on;
  ipv4 {{ import all; export none; }};
  ipv6 {{ import all; export none; }};
}}
""" for number, asn in hosts)
    return f"""\
log stderr all;
router id 10.240.0.1;
protocol device {{ }}
protocol kernel {{
  netlink rx buffer 33554432;
  ipv4 {{ import none; export where source = RTS_BGP; }};
}}
protocol kernel {{
  netlink rx buffer 33554432;
  ipv6 {{ import none; export where source = RTS_BGP; }};
}}
{sessions}"""


class BirdRouter(Router):
    """A router of the make BIRD; sends its routes on to every neighbour, as a transit router does."""
    make = "bird"

    def __init__(self, *args, bfd=False):
        super().__init__(*args)
        self.bfd = bfd
        self.bird = Bird(self.lab, self.namespace, f"{self.name}-bird")

    def start(self, recover=False):
        self.bird.configure(self._conf())
        self.bird.start(recover)

    def _conf(self):
        bfd = 'protocol bfd { interface "*" { interval 300 ms; multiplier 3; }; }' if self.bfd else ""
        kernel = "".join(f"""
protocol kernel {{
  netlink rx buffer 33554432;
  merge paths on;
  ipv{family} {{ import none; export where source = RTS_BGP; }};
}}
""" for family in (4, 6))
        return (f"log stderr all;\nrouter id {self.router_id};\nprotocol device {{ }}\n{bfd}{kernel}"
                + "".join(self._session(neighbor) for neighbor in self.neighbors))

    def _session(self, neighbor):
        inside = "direct; " if neighbor.asn == self.asn else ""
        more = self._next_hop(neighbor) + ("add paths tx; " if self.add_paths else "")
        channels = "".join(f"  ipv{family} {{ import all; export all; {more}}};\n"
                           for family in (4, 6))
        return f"""
protocol bgp {neighbor.name} {{
  local {neighbor.local} as {self.asn};
  neighbor {neighbor.address} as {neighbor.asn};
  {inside}{"rr client; " if neighbor.client else ""}{SOON}
  graceful restart on;
  {"bfd graceful;" if self.bfd else ""}
{channels}}}
"""

    def _next_hop(self, neighbor):
        # A reflector leaves the next hop alone.
        return "" if neighbor.client else "next hop self; "

    def is_established(self, neighbor):
        return self.bird.is_established(neighbor.name)

    def paths(self, address):
        text = self.bird.birdc("show", "route", prefix(address), "all")
        rows = re.split(r"(?m)^(?=\S* +(?:unicast|unreachable) \[)", text)[1:]
        return [_path(row) for row in rows]


def _path(row):
    def value(name):
        found = re.search(rf"(?m)^\s+BGP\.{name}: (.*)$", row)
        return found[1].strip() if found else ""

    def plain(name):
        return frozenset(":".join(re.findall(r"\d+", each))
                         for each in re.findall(r"\([^)]*\)", value(name)))

    return Path(as_path=tuple(int(each) for each in value("as_path").split()),
                med=int(value("med") or 0), local_pref=int(value("local_pref") or 100),
                communities=plain("community"), large=plain("large_community"),
                next_hop=value("next_hop").split()[0], best="] * (" in row.splitlines()[0])
