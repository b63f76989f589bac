"""Neutron's records of floating IPs, read in bulk: a fixed number of queries for any set of ids.

Reads go to the tables, each load in a fresh context and one transaction. Hosts of ports that have
no row in ML2's table are asked of the core plugin, so that another one works too.
"""
import collections

from neutron.db.models import l3
from neutron.db.models import port_forwarding
from neutron.db import models_v2
from neutron.db.qos import models as qos
from neutron.plugins.ml2 import models as ml2
from neutron_lib import context as neutron_context
from neutron_lib.api.definitions import portbindings
from neutron_lib.db import api as db_api
from neutron_lib.db import standard_attr
from neutron_lib.plugins import directory
import sqlalchemy as sa

from networking_fipd import keys
from networking_fipd import placement

LARGEST = 500  # ids in one query: SQLite takes 999 variables


def load(ids):
    """id -> placement.FloatingIp, without those that do not exist."""
    found = {}
    ids = list(ids)
    for start in range(0, len(ids), LARGEST):
        context = neutron_context.get_admin_context()
        with db_api.CONTEXT_READER.using(context):
            records = _Records(context.session, ids[start:start + LARGEST])
        records.ask_core_plugin(context)
        found.update(records.floating_ips())
    return found


def wanted_ids(after="", limit=LARGEST):
    """The next ids, in order, of floating IPs that have a port or forwardings."""
    fip = l3.FloatingIP
    context = neutron_context.get_admin_context()
    with db_api.CONTEXT_READER.using(context):
        has_forwards = sa.exists().where(
            port_forwarding.PortForwarding.floatingip_id == fip.id)
        rows = context.session.query(fip.id).filter(
            fip.id > after, sa.or_(fip.fixed_port_id.isnot(None), has_forwards))
        return [row[0] for row in rows.order_by(fip.id).limit(limit)]


def unwanted_with_status(limit=LARGEST):
    """Ids of floating IPs without port or forwardings whose status is not DOWN."""
    fip = l3.FloatingIP
    context = neutron_context.get_admin_context()
    with db_api.CONTEXT_READER.using(context):
        has_forwards = sa.exists().where(
            port_forwarding.PortForwarding.floatingip_id == fip.id)
        rows = context.session.query(fip.id).filter(
            fip.fixed_port_id.is_(None), fip.status != "DOWN", sa.not_(has_forwards))
        return [row[0] for row in rows.order_by(fip.id).limit(limit)]


def statuses(ids):
    """id -> status as Neutron shows it."""
    found = {}
    ids = list(ids)
    fip = l3.FloatingIP
    for start in range(0, len(ids), LARGEST):
        context = neutron_context.get_admin_context()
        with db_api.CONTEXT_READER.using(context):
            found.update(tuple(row) for row in context.session.query(fip.id, fip.status).filter(
                fip.id.in_(ids[start:start + LARGEST])))
    return found


def ids_of(kind, key):
    """Ids of the floating IPs that a port, router, network or QoS policy may concern."""
    context = neutron_context.get_admin_context()
    with db_api.CONTEXT_READER.using(context):
        return {row[0] for query in _QUERIES[kind](context.session, key) for row in query}


def _of_port(session, port_id):
    fip, forward = l3.FloatingIP, port_forwarding.PortForwarding
    yield session.query(fip.id).filter(fip.fixed_port_id == port_id)
    yield session.query(forward.floatingip_id).filter(forward.internal_neutron_port_id == port_id)


def _of_router(session, router_id):
    yield session.query(l3.FloatingIP.id).filter(l3.FloatingIP.router_id == router_id)


def _of_network(session, network_id):
    fip, forward, port = l3.FloatingIP, port_forwarding.PortForwarding, models_v2.Port
    yield session.query(fip.id).join(port, port.id == fip.fixed_port_id).filter(
        port.network_id == network_id)
    yield session.query(forward.floatingip_id).join(
        port, port.id == forward.internal_neutron_port_id).filter(port.network_id == network_id)
    # Of an external network: its QoS policy is theirs.
    yield session.query(fip.id).filter(fip.floating_network_id == network_id)


def _of_policy(session, policy_id):
    fip = l3.FloatingIP
    own, networks = qos.QosFIPPolicyBinding, qos.QosNetworkPolicyBinding
    yield session.query(own.fip_id).filter(own.policy_id == policy_id)
    yield session.query(fip.id).join(
        networks, networks.network_id == fip.floating_network_id).filter(
            networks.policy_id == policy_id)


_QUERIES = {"port": _of_port, "router": _of_router, "network": _of_network, "policy": _of_policy}


class _Records:
    def __init__(self, session, ids):
        self._session = session
        self._fips = self._read_floating_ips(ids)
        self._forwards = self._read_forwards(ids)
        port_ids = {row.fixed_port_id for row in self._fips if row.fixed_port_id}
        port_ids |= {row.internal_neutron_port_id for rows in self._forwards.values()
                     for row in rows}
        self._ports = self._read_ports(sorted(port_ids))
        self._siblings = self._read_siblings(sorted(
            {row.fixed_port_id for row in self._fips if row.fixed_port_id}))
        self._limits = self._read_limits()

    def ask_core_plugin(self, context):
        """For the ports that ML2's table does not know."""
        core = directory.get_plugin()
        unknown = [port_id for port_id, port in self._ports.items() if not port["bindings"]]
        if not unknown or core is None:
            return
        for port in core.get_ports(context, filters={"id": unknown}):
            host = port.get(portbindings.HOST_ID)
            if host:
                self._ports[port["id"]]["bindings"] = (placement.Binding(
                    host, vif_type=port.get(portbindings.VIF_TYPE) or "tap",
                    migrating_to=_migrating_to(port.get(portbindings.PROFILE))),)

    def floating_ips(self):
        self._ports = {port_id: placement.Port(port_id, **port)
                       for port_id, port in self._ports.items()}
        return {row.id: self._floating_ip(row) for row in self._fips}

    def _floating_ip(self, row):
        return placement.FloatingIp(
            id=row.id, address=row.floating_ip_address, created=_age(row),
            status=row.status, port=self._ports.get(row.fixed_port_id),
            fixed=row.fixed_ip_address,
            # Other L3 plugins than Neutron's own may know no routers.
            router_up=row.router_id is None or bool(row.admin_state_up),
            router_has_gateway=row.router_id is None or row.gw_port_id is not None,
            forwards=tuple(self._forward(forward) for forward in self._forwards[row.id]),
            limits=self._limits.get(("fip", row.id)) or self._limits.get(
                ("network", row.floating_network_id), ()),
            siblings=tuple(sorted(
                (_age(other), other.id)
                for other in self._siblings.get((row.fixed_port_id, row.fixed_ip_address), ())
                if other.id != row.id)))

    def _forward(self, row):
        return placement.Forward(
            protocol=row.protocol.lower(), port=self._ports[row.internal_neutron_port_id],
            address=row.internal_ip_address,
            outer=(row.external_port_start, row.external_port_end),
            inner=(row.internal_port_start, row.internal_port_end))

    def _read_floating_ips(self, ids):
        fip, router, attributes = l3.FloatingIP, l3.Router, standard_attr.StandardAttribute
        return self._session.query(
            fip.id, fip.floating_ip_address, fip.fixed_port_id, fip.fixed_ip_address,
            fip.router_id, fip.status, fip.floating_network_id, fip.standard_attr_id,
            attributes.created_at, router.admin_state_up, router.gw_port_id
        ).join(attributes, attributes.id == fip.standard_attr_id
               ).outerjoin(router, router.id == fip.router_id
                           ).filter(fip.id.in_(ids)).all()

    def _read_forwards(self, ids):
        model = port_forwarding.PortForwarding
        rows = collections.defaultdict(list)
        for row in self._session.query(
                model.floatingip_id, model.protocol, model.internal_neutron_port_id,
                model.internal_ip_address, model.internal_port_start, model.internal_port_end,
                model.external_port_start, model.external_port_end
        ).filter(model.floatingip_id.in_(ids)):
            rows[row.floatingip_id].append(row)
        return rows

    def _read_ports(self, port_ids):
        port, network, allocation = models_v2.Port, models_v2.Network, models_v2.IPAllocation
        ports = {}
        for some in _slices(port_ids):
            for row in self._session.query(
                    port.id, port.admin_state_up, network.admin_state_up).join(
                        network, network.id == port.network_id).filter(port.id.in_(some)):
                ports[row[0]] = {"up": bool(row[1]), "network_up": bool(row[2]),
                                 "addresses": (), "bindings": ()}
            for port_id, address in self._session.query(
                    allocation.port_id, allocation.ip_address).filter(
                        allocation.port_id.in_(some)).order_by(allocation.ip_address):
                ports[port_id]["addresses"] += (address,)
            for row in self._session.query(
                    ml2.PortBinding.port_id, ml2.PortBinding.host, ml2.PortBinding.status,
                    ml2.PortBinding.vif_type, ml2.PortBinding.profile
            ).filter(ml2.PortBinding.port_id.in_(some)).order_by(ml2.PortBinding.host):
                ports[row.port_id]["bindings"] += (placement.Binding(
                    row.host, row.status, row.vif_type, _migrating_to(row.profile)),)
        return ports

    def _read_siblings(self, port_ids):
        fip, attributes = l3.FloatingIP, standard_attr.StandardAttribute
        rows = collections.defaultdict(list)
        for some in _slices(port_ids):
            for row in self._session.query(
                    fip.id, fip.fixed_port_id, fip.fixed_ip_address, fip.standard_attr_id,
                    attributes.created_at
            ).join(attributes, attributes.id == fip.standard_attr_id
                   ).filter(fip.fixed_port_id.in_(some)):
                rows[row.fixed_port_id, row.fixed_ip_address].append(row)
        return rows

    def _read_limits(self):
        """(kind, id) -> the bandwidth rules of the floating IP's policy, or of its network's."""
        own, networks = qos.QosFIPPolicyBinding, qos.QosNetworkPolicyBinding
        rules = collections.defaultdict(tuple)
        for kind, bound, ids in (
                ("fip", (own.fip_id, own.policy_id), {row.id for row in self._fips}),
                ("network", (networks.network_id, networks.policy_id),
                 {row.floating_network_id for row in self._fips})):
            rule = qos.QosBandwidthLimitRule
            for row in self._session.query(
                    bound[0], rule.direction, rule.max_kbps, rule.max_burst_kbps
            ).join(rule, rule.qos_policy_id == bound[1]
                   ).filter(bound[0].in_(ids)).order_by(rule.direction):
                rules[kind, row[0]] += (tuple(row[1:]),)
        return rules


def _age(row):
    """Sorts the older first. The database keeps whole seconds: of one second, the serial decides."""
    return f"{row.created_at} {row.standard_attr_id:020}"


def _slices(ids):
    return [ids[start:start + LARGEST] for start in range(0, len(ids), LARGEST)]


def _migrating_to(profile):
    """profile: as the table has it or as an API gives it. Whoever may write it may write anything."""
    if isinstance(profile, str):
        profile = keys.decoded(profile) if "migrating_to" in profile else None
    host = profile.get("migrating_to") if isinstance(profile, dict) else None
    return host if isinstance(host, str) and keys.can_be_written(host) else None
