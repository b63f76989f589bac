"""What the kernel of a namespace says: fipd's routes, fipd's NAT maps, and records of all writes."""
import json
import re
import time

from namespaces import Failed
from waiting import wait_for

TABLE = "172"


def _table_routes(namespace, table=TABLE):
    rows = []
    for family in ("-4", "-6"):
        done = namespace.run("ip", family, "-N", "-j", "route", "show", "table", table, check=False)
        if done.returncode == 0 and done.stdout.strip():
            rows += json.loads(done.stdout)
        elif done.returncode != 0 and "does not exist" not in done.stderr:
            raise Failed(f"ip route show table {table}: {done.stderr}")
    return rows


def routes(namespace):
    """{destination: (interface, metric)} of fipd's own routes."""
    return {row["dst"]: (row.get("dev"), int(row.get("metric", 0)))
            for row in _table_routes(namespace) if row["protocol"] == TABLE}


def strangers(namespace):
    """Destinations in fipd's table that are not fipd's."""
    return [row["dst"] for row in _table_routes(namespace) if row["protocol"] != TABLE]


def nat(namespace, table="fipd"):
    """{map name: {key: value}} of `table inet fipd`, of keys that are one address; empty where there is
    no such table."""
    done = namespace.run("nft", "-j", "list", "table", "inet", table, check=False)
    if done.returncode != 0:
        return {}
    maps = {}
    for entry in json.loads(done.stdout)["nftables"]:
        if "map" in entry:
            content = entry["map"]
            maps[content["name"]] = {key: value for key, value in content.get("elem", [])
                                     if isinstance(key, str)}
    return maps


def elements(namespace, table="fipd"):
    """{map or set: {key: value}} as nft writes them, of those that hold anything; "" for no value."""
    text = namespace.run("nft", "list", "table", "inet", table, check=False).stdout
    found = {}
    for name, body in re.findall(r"^\t(?:map|set) (\S+) \{\n(.*?)^\t\}", text, re.M | re.S):
        held = re.search(r"elements = \{(.*?)\}", body, re.S)
        if held and "interval" not in body:
            parts = (re.fullmatch(r"(\S+(?: \. \S+)*)(?: : | ?)(.*)", part.strip())
                     for part in held[1].split(","))
            found[name] = {part[1]: part[2] for part in parts}
    return found


def chains(namespace, table="fipd"):
    """{chain: how many rules}."""
    done = namespace.run("nft", "-j", "list", "table", "inet", table, check=False)
    found = {}
    if done.returncode == 0:
        for entry in json.loads(done.stdout)["nftables"]:
            if "chain" in entry:
                found.setdefault(entry["chain"]["name"], 0)
            if "rule" in entry:
                found[entry["rule"]["chain"]] = found.get(entry["rule"]["chain"], 0) + 1
    return found


def translations(namespace):
    """{floating: fixed} of both families."""
    maps = nat(namespace)
    return {**maps.get("fixed_by_floating", {}), **maps.get("fixed_by_floating6", {})}


def served(namespace):
    """{floating: (fixed IP it translates to, interface it routes to)}, of those with either."""
    fixed, routed = translations(namespace), routes(namespace)
    return {floating: (fixed.get(floating), routed.get(floating, (None,))[0])
            for floating in {*fixed, *routed}}


def outbound(namespace):
    """{fixed: floating} of both families."""
    maps = nat(namespace)
    return {**maps.get("floating_by_fixed", {}), **maps.get("floating_by_fixed6", {})}


class Recorder:
    """`ip monitor route` or `nft monitor`, from the moment of construction. For "no writes" proofs.

    Ready as soon as the kernel shows the tool's socket in its multicast group; complete because
    stop() makes a change of its own last and waits until the tool has printed it.
    """

    _serial = 0

    def __init__(self, lab, namespace, tool):
        Recorder._serial += 1
        self._mark = 90000 + Recorder._serial
        self._namespace = namespace
        self._tool = tool
        command = {"ip": ["ip", "-N", "monitor", "route"], "nft": ["nft", "monitor"]}[tool]
        self._process = lab.start(f"{tool}-monitor-{Recorder._serial}",
                                  ["stdbuf", "-oL", *command], namespace)
        wait_for(self._is_listening, 5, f"{tool} monitor listens")

    def _is_listening(self):
        protocol = {"ip": "0", "nft": "12"}[self._tool]
        with open(f"/proc/{self._process.pid}/net/netlink") as sockets:
            for line in sockets:
                _, eth, pid, groups = line.split()[:4]
                if eth == protocol and pid == str(self._process.pid) and int(groups, 16) != 0:
                    return True
        return False

    def _mark_end(self):
        if self._tool == "ip":
            line = f"blackhole 203.0.113.253 table {self._mark}"
            self._namespace.ip(f"route add {line}", f"route del {line}")
        else:
            self._namespace.nft(f"table inet end_{self._mark}\ndelete table inet end_{self._mark}\n"
                                f"table inet end_{self._mark}\n")
            self._namespace.nft(f"delete table inet end_{self._mark}\n")

    def stop(self):
        """All lines of what was written by others than this recorder."""
        self._mark_end()
        wait_for(lambda: str(self._mark) in self._process.text(), 5, f"{self._tool} monitor's end")
        time.sleep(0.02)
        self._process.kill()
        return [line for line in self._process.text().splitlines() if self._is_of_others(line)]

    def _is_of_others(self, line):
        if self._tool == "ip":
            return f"table {self._mark}" not in line
        return f"end_{self._mark}" not in line and not line.startswith("# new generation")


class WriteWatch:
    """Both recorders at once: what a block of a test wrote to routes and nft.

    Neighbour entries and the main table's routes are not fipd's: only table 172 counts.
    """

    def __init__(self, lab, namespace):
        self._ip = Recorder(lab, namespace, "ip")
        self._nft = Recorder(lab, namespace, "nft")

    def stop(self):
        routed = [line for line in self._ip.stop() if f"table {TABLE}" in line]
        return routed + self._nft.stop()
