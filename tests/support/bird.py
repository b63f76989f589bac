"""BIRD on a host (with the shipped conf/bird/fipd.conf) and on a router, and its control client."""
import os
import re
import shutil

from namespaces import run, wait_for_socket
from waiting import wait_for

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


class Bird:
    def __init__(self, lab, namespace, name):
        self.lab = lab
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

    def start(self):
        with_socket = ["bird", "-f", "-c", self.conf, "-s", self.socket, "-P",
                       f"{self.folder}/bird.pid"]
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


def host_conf(folder, number, asn, pools4, pools6):
    """bird.conf of a compute host, around the shipped fipd.conf, with a session of its own."""
    shutil.copy(f"{SOURCE}/conf/bird/fipd.conf", folder)
    with open(f"{folder}/fipd-local.conf", "w") as local:
        local.write(f"define fipd_as = {asn};\n"
                    f"define fipd_pools4 = [ {pools4}{{32,32}} ];\n"
                    f"define fipd_pools6 = [ {pools6}{{128,128}} ];\n"
                    "define fipd_max_routes = 200000;\n"
                    "define fipd_max_watched = 200000;\n")
    return f"""\
log stderr all;
router id 10.240.{number}.2;
graceful restart wait 10;
protocol device {{ }}
include "fipd.conf";
protocol bgp tor1 from fipd_ebgp {{
  local 10.240.{number}.2 as fipd_as;
  neighbor 10.240.{number}.1 as 64500;
  connect delay time 1;
  connect retry time 1;
  error wait time 1, 2;
}}
"""


def router_conf(hosts):
    """bird.conf of the router: learns from every (number, asn) and puts it into its main table."""
    sessions = "".join(f"""
protocol bgp host{number} {{
  local 10.240.{number}.1 as 64500;
  neighbor 10.240.{number}.2 as {asn};
  connect delay time 1;
  connect retry time 1;
  error wait time 1, 2;
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
