"""Where a floating IP should be and what its host is told: a pure function of Neutron's records.

Nothing here reads a database or etcd. `place()` answers for one floating IP: the hosts and the
value for each, or why there is none.
"""
import dataclasses
import ipaddress
from typing import Optional

from networking_fipd import keys

MOST_FORWARDED = 4096  # what fipd accepts for one floating IP
FORWARDED = ("tcp", "udp", "sctp")  # Neutron takes others too, and gives them ports
ACTIVE = "ACTIVE"
# What fipd takes as limits: it refuses a binding with others as a whole. Bits a second; bytes.
LEAST_BITS, MOST_BITS = 8_000, 100_000_000_000
MOST_BURST = 4_000_000_000
LEAST_BUCKET = 65536  # one second's worth and the burst
NOT_BOUND = ("unbound", "binding_failed", "")


@dataclasses.dataclass(frozen=True)
class Binding:
    host: str
    status: str = ACTIVE
    vif_type: str = "tap"
    migrating_to: Optional[str] = None


@dataclasses.dataclass(frozen=True)
class Port:
    id: str
    up: bool = True
    network_up: bool = True
    addresses: tuple = ()
    bindings: tuple = ()


@dataclasses.dataclass(frozen=True)
class Forward:
    protocol: str
    port: Port
    address: str
    outer: tuple  # first and last port at the floating IP
    inner: tuple  # first and last port at the instance


@dataclasses.dataclass(frozen=True)
class FloatingIp:
    id: str
    address: str
    created: str = ""
    status: str = "DOWN"
    port: Optional[Port] = None
    fixed: Optional[str] = None
    router_up: bool = True
    router_has_gateway: bool = True
    forwards: tuple = ()
    limits: tuple = ()     # (direction, kbit/s, burst in kbit) of the QoS policy
    siblings: tuple = ()   # (created, id) of the others on the same fixed IP

    @property
    def wanted(self):
        return self.port is not None or bool(self.forwards)


@dataclasses.dataclass(frozen=True)
class Placement:
    hosts: dict = dataclasses.field(default_factory=dict)  # host -> value
    reason: str = ""
    failed: bool = False   # the reason does not end by itself: ERROR, not DOWN
    note: str = ""

    @property
    def serving(self):
        for host, value in self.hosts.items():
            if value.get("role", "") in keys.SERVING:
                return host
        return None


class _Nowhere(Exception):
    def __init__(self, reason, failed=False):
        super().__init__(reason)
        self.failed = failed


def place(fip, interface="tap"):
    if not fip.wanted:
        return Placement()
    try:
        _check_router(fip)
        if fip.port is not None:
            return _one_to_one(fip, interface)
        return _forwarded(fip, interface)
    except _Nowhere as nowhere:
        return Placement(reason=str(nowhere), failed=nowhere.failed)


def index_value(fip, placement):
    value = {"floating": fip.address,
             "hosts": {host: bound.get("role", "") for host, bound in placement.hosts.items()}}
    if placement.reason:
        value["reason"] = placement.reason
    return value


def _check_router(fip):
    if not fip.router_up:
        raise _Nowhere("its router is administratively down")
    if not fip.router_has_gateway:
        raise _Nowhere("its router has no external gateway")


def _check_port(port):
    if not port.up:
        raise _Nowhere(f"port {port.id} is administratively down")
    if not port.network_up:
        raise _Nowhere(f"the network of port {port.id} is administratively down")


def _hosts(port):
    """The serving host and the host that the instance is moving to, if any.

    Activating a binding leaves the old one behind, inactive and unbound, until Nova deletes it:
    only a bound inactive binding is a target.
    """
    active = next((b for b in port.bindings if b.status == ACTIVE and b.host), None)
    if active is None:
        raise _Nowhere(f"port {port.id} is bound to no host")
    others = [b.host for b in port.bindings
              if b is not active and b.host and b.vif_type not in NOT_BOUND]
    if active.migrating_to:
        others.insert(0, active.migrating_to)
    target = next((host for host in others if host != active.host), None)
    return active.host, target


def _one_to_one(fip, interface):
    port = fip.port
    _check_port(port)
    fixed, note = _fixed(fip)
    value = {"floating": fip.address, "fixed": fixed, "id": fip.id, "port": port.id}
    if interface == "tap":
        value["interface"] = tap_of(port)
    if fip.siblings and min(fip.siblings) > (fip.created, fip.id):
        value["primary"] = True
    return Placement(_on_hosts(value, fip, *_hosts(port)), note=note)


def _fixed(fip):
    """Neutron leaves the address of the association as it was when the port's changes. Another
    instance may have it by now, so it is never used unless the port still has it."""
    if fip.fixed in fip.port.addresses:
        return fip.fixed, ""
    fours = [a for a in fip.port.addresses if ipaddress.ip_address(a).version == 4]
    if len(fours) == 1:
        return fours[0], f"port {fip.port.id} has {fours[0]} now, no longer {fip.fixed}"
    raise _Nowhere(f"port {fip.port.id} no longer has {fip.fixed}: associate the floating IP "
                   "with one of its addresses", failed=True)


def tap_of(port):
    return "tap" + port.id[:11]


def _on_hosts(value, fip, host, target):
    limits = _limits(fip.limits)
    if limits:
        value["limits"] = limits
    if target is None:
        return {host: value}
    return {host: dict(value, role="source", peer=target),
            target: dict(value, role=keys.TARGET, peer=host)}


def _limits(rules):
    limits = {}
    for direction, rate, burst in rules:
        # Neutron's ingress is towards the instance, as fipd's "in".
        way = "in" if direction == "ingress" else "out"
        if rate:
            bits = max(LEAST_BITS, min(rate * 1000, MOST_BITS))
            limits[f"{way}_bits"] = bits
            if burst:
                limits[f"{way}_burst"] = max(LEAST_BUCKET - bits // 8,
                                             min(burst * 1000 // 8, MOST_BURST))
    return limits


def _forwarded(fip, interface):
    usable, unusable = [], []
    for forward in fip.forwards:
        try:
            _check_port(forward.port)
            if forward.protocol not in FORWARDED:
                raise _Nowhere(f"{forward.protocol} cannot be forwarded by port, only "
                               f"{', '.join(FORWARDED)}", failed=True)
            if forward.address not in forward.port.addresses:
                raise _Nowhere(f"port {forward.port.id} no longer has {forward.address}",
                               failed=True)
            usable.append((forward, _hosts(forward.port)))
        except _Nowhere as nowhere:
            unusable.append(nowhere)
    if not usable:
        raise unusable[0]
    places = {place for _, place in usable}
    hosts = sorted({host for host, _ in places})
    if len(hosts) > 1:
        raise _Nowhere(f"forwards go to instances on several hosts ({', '.join(hosts)}): "
                       "one host must have them all", failed=True)
    forwards = sorted(text for forward, _ in usable for text in _written(forward))
    value = {"floating": fip.address, "id": fip.id, "forwards": forwards}
    ports = {forward.port.id: forward.port for forward, _ in usable}
    if len(ports) == 1:
        port = next(iter(ports.values()))
        value["port"] = port.id
        if interface == "tap":
            value["interface"] = tap_of(port)
    _check_size(usable)
    # A target is prepared only where all instances move there together.
    target = next(iter(places))[1] if len(places) == 1 else None
    return Placement(_on_hosts(value, fip, hosts[0], target),
                     note="; ".join(str(nowhere) for nowhere in unusable))


def _written(forward):
    first, last = forward.outer
    inner_first, inner_last = forward.inner
    if first == last:
        return [f"{forward.protocol}/{first}={forward.address}:{inner_first}"]
    if last - first == inner_last - inner_first:
        return [f"{forward.protocol}/{first}-{last}={forward.address}:{inner_first}-{inner_last}"]
    # Neutron also has many ports outside to one inside.
    return [f"{forward.protocol}/{port}={forward.address}:{inner_first}"
            for port in range(first, last + 1)]


def _check_size(usable):
    count = sum(f.outer[1] - f.outer[0] + 1 for f, _ in usable)
    if count > MOST_FORWARDED:
        raise _Nowhere(f"its port forwardings have {count} ports; fipd takes {MOST_FORWARDED} for "
                       "one floating IP", failed=True)
