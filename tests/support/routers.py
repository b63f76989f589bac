"""What the tests ask of a router, whatever its make: which paths it has to an address, and why.

`Router` is the part that BIRD (bird.BirdRouter), FRR (frr.Frr) and GoBGP (gobgp.GoBgp) share. A
router is given its neighbours before start(); each session carries IPv4 and IPv6.
"""
import dataclasses
import os

from waiting import wait_for

GRACEFUL_SHUTDOWN = "65535:0"


@dataclasses.dataclass(frozen=True)
class Path:
    as_path: tuple
    med: int
    local_pref: int
    communities: frozenset     # "65535:0"
    large: frozenset           # "64601:172:77"
    next_hop: str
    best: bool

    @property
    def origin(self):
        """The AS of the host that announces it."""
        return self.as_path[-1] if self.as_path else None

    @property
    def drained(self):
        return GRACEFUL_SHUTDOWN in self.communities


@dataclasses.dataclass(frozen=True)
class Neighbor:
    name: str
    local: str
    address: str
    asn: int
    client: bool = False       # of a route reflector: iBGP


class Router:
    def __init__(self, lab, namespace, name, asn, router_id):
        self.lab = lab
        self.namespace = namespace
        self.name = name
        self.asn = asn
        self.router_id = router_id
        self.neighbors = []
        self.add_paths = False     # tells its neighbours all its paths, not the best alone
        self.folder = lab.file(name)
        os.makedirs(self.folder)

    def paths(self, address):
        """Every path to the host route of `address`, as a list of Path."""
        raise NotImplementedError

    def is_established(self, neighbor):
        raise NotImplementedError

    def best(self, address):
        return next((path for path in self.paths(address) if path.best), None)

    def wait_established(self, timeout=30):
        for neighbor in self.neighbors:
            wait_for(lambda neighbor=neighbor: self.is_established(neighbor), timeout,
                     f"{self.name}: the session with {neighbor.name} is established", 0.1)

    def wait_best(self, address, condition=lambda path: path is not None, timeout=10,
                  what="has a path"):
        """The best path to `address` as soon as it meets `condition`."""
        def is_so():
            path = self.best(address)
            return condition(path) and (path or True)
        return wait_for(is_so, timeout,
                        lambda: f"{self.name}: {address} {what}: {self.paths(address)}", 0.05)

    def wait_gone(self, address, timeout=10):
        wait_for(lambda: not self.paths(address), timeout,
                 lambda: f"{self.name} forgets {address}: {self.paths(address)}", 0.05)


def prefix(address):
    return f"{address}/{128 if ':' in address else 32}"
