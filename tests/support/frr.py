"""A router of the make FRR: zebra, bgpd and, where wanted, bfdd of Debian's `frr`, by hand.

The package's own service is never started. `vtysh` and the daemons meet in the lab's folder.
"""
import json
import shutil

from namespaces import run, wait_for_socket
from routers import Path, Router, prefix

DAEMONS = "/usr/lib/frr"
WELL_KNOWN = {"graceful-shutdown": "65535:0", "gracefulShutdown": "65535:0"}


class Frr(Router):
    make = "frr"

    def __init__(self, *args, bfd=False):
        super().__init__(*args)
        self.bfd = bfd

    def start(self):
        # The daemons give up root for this user.
        shutil.chown(self.folder, "frr", "frr")
        self._write("zebra", "")
        self._write("bgpd", self._bgp())
        self._start("zebra")
        if self.bfd:
            self._write("bfdd", "")
            self._start("bfdd", "--bfdctl", f"{self.folder}/bfdd.sock")
        self._start("bgpd")

    def _write(self, daemon, text):
        with open(f"{self.folder}/{daemon}.conf", "w") as conf:
            conf.write(f"hostname {self.name}\nlog stdout\n{text}")

    def _start(self, daemon, *more):
        # -P 0: no TCP terminal.
        process = self.lab.start(
            f"{self.name}-{daemon}",
            [f"{DAEMONS}/{daemon}", "-P", "0", "-f", f"{self.folder}/{daemon}.conf",
             "-i", f"{self.folder}/{daemon}.pid", "-z", f"{self.folder}/zserv.api",
             "--vty_socket", self.folder, *more], self.namespace)
        wait_for_socket(f"{self.folder}/{daemon}.vty", process)

    def _bgp(self):
        lines = [f"router bgp {self.asn}", f" bgp router-id {self.router_id}",
                 " no bgp ebgp-requires-policy", " timers bgp 20 60",
                 " bgp bestpath as-path multipath-relax"]
        for neighbor in self.neighbors:
            name = f" neighbor {neighbor.address}"
            lines += [f"{name} remote-as {neighbor.asn}", f"{name} timers connect 1",
                      f"{name} advertisement-interval 0"]
            if self.bfd:
                lines += [f"{name} bfd"]
        for family in ("ipv4", "ipv6"):
            lines += [f" address-family {family} unicast"]
            for neighbor in self.neighbors:
                lines += [f"  neighbor {neighbor.address} activate",
                          f"  neighbor {neighbor.address} next-hop-self"]
            lines += ["  maximum-paths 8", " exit-address-family"]
        return "\n".join(lines) + "\n"

    def vtysh(self, command):
        return run("vtysh", "--vty_socket", self.folder, "-c", command, check=False).stdout

    def is_established(self, neighbor):
        peers = json.loads(self.vtysh("show bgp summary json") or "{}")
        states = [family["peers"][neighbor.address]["state"] for family in peers.values()
                  if neighbor.address in family.get("peers", {})]
        return len(states) == 2 and set(states) == {"Established"}

    def paths(self, address):
        family = "ipv6" if ":" in address else "ipv4"
        answer = json.loads(self.vtysh(f"show bgp {family} unicast {prefix(address)} json") or "{}")
        return [_path(row) for row in answer.get("paths", [])]


def _path(row):
    ases = [number for part in row["aspath"]["segments"] for number in part["list"]]
    communities = row.get("community", {}).get("list", [])
    return Path(as_path=tuple(ases), med=row.get("metric", 0),
                local_pref=row.get("locPrf", 100),
                communities=frozenset(WELL_KNOWN.get(word, word) for word in communities),
                large=frozenset(row.get("largeCommunity", {}).get("list", [])),
                next_hop=row["nexthops"][0]["ip"],
                best=bool(row.get("bestpath", {}).get("overall")))
