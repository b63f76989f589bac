"""A router of the make GoBGP: Debian's gobgpd, which has no part in the kernel: no packets."""
import json

from namespaces import run
from routers import Path, Router, prefix
from waiting import wait_for


class GoBgp(Router):
    make = "gobgp"

    def start(self):
        conf = f"{self.folder}/gobgpd.toml"
        with open(conf, "w") as out:
            out.write(self._conf())
        self.process = self.lab.start(
            f"{self.name}-gobgpd",
            ["gobgpd", "-f", conf, "--api-hosts", "127.0.0.1:50051", "--pprof-disable"],
            self.namespace)
        wait_for(lambda: self.gobgp("global") or not self.process.alive(), 10,
                 lambda: f"gobgpd answers\n{self.process.text()}", 0.1)

    def _conf(self):
        text = f'[global.config]\nas = {self.asn}\nrouter-id = "{self.router_id}"\n'
        for neighbor in self.neighbors:
            text += ("[[neighbors]]\n[neighbors.config]\n"
                     f'neighbor-address = "{neighbor.address}"\npeer-as = {neighbor.asn}\n'
                     "[neighbors.timers.config]\nconnect-retry = 1\n"
                     "idle-hold-time-after-reset = 1\n"
                     "[neighbors.graceful-restart.config]\nenabled = true\nrestart-time = 120\n")
            for family in ("ipv4-unicast", "ipv6-unicast"):
                text += ("[[neighbors.afi-safis]]\n[neighbors.afi-safis.config]\n"
                         f'afi-safi-name = "{family}"\n'
                         "[neighbors.afi-safis.mp-graceful-restart.config]\nenabled = true\n")
        return text

    def gobgp(self, *words):
        done = run(*self.namespace.prefix("gobgp", "-j", *words), check=False)
        return json.loads(done.stdout) if done.returncode == 0 and done.stdout.strip() else None

    def is_established(self, neighbor):
        for row in self.gobgp("neighbor") or []:
            if row["state"]["neighbor_address"] == neighbor.address:
                return row["state"].get("session_state") == 6
        return False

    def paths(self, address):
        family = ["-a", "ipv6"] if ":" in address else []
        found = self.gobgp("global", "rib", prefix(address), *family)
        rows = found.get(prefix(address), []) if isinstance(found, dict) else found or []
        return [_path(row) for row in rows]


def _path(row):
    attributes = {each["type"]: each for each in row["attrs"]}
    ases = [number for part in attributes.get(2, {}).get("as_paths", []) for number in part["asns"]]
    plain = attributes.get(8, {}).get("communities", [])
    large = attributes.get(32, {}).get("value", [])
    return Path(as_path=tuple(ases), med=attributes.get(4, {}).get("metric", 0),
                local_pref=attributes.get(5, {}).get("value", 100),
                communities=frozenset(f"{each >> 16}:{each & 0xffff}" for each in plain),
                large=frozenset(":".join(str(part) for part in each.values()) for each in large),
                next_hop=attributes.get(3, attributes.get(14, {})).get("nexthop", ""),
                best=bool(row.get("best")))
