"""The service plugin: hears what changes in Neutron and notes whom it concerns.

It is no part of any API and answers no request. Works beside any core plugin: the events are those
of neutron-lib's registry; where Neutron publishes none (inactive port bindings, rules of QoS
policies) SQLAlchemy's are heard.
"""
import socket

from neutron.db.qos import models as qos
from neutron.plugins.ml2 import models as ml2
from neutron.services.portforwarding import constants as forwarding
from neutron_lib.callbacks import events
from neutron_lib.callbacks import registry
from neutron_lib.callbacks import resources
from neutron_lib.db import api as db_api
from neutron_lib.services import base as service_base
from oslo_config import cfg
from oslo_log import log as logging
import sqlalchemy as sa

from networking_fipd import opts
from networking_fipd import service
from networking_fipd import worker

LOG = logging.getLogger(__name__)

PLUGIN_TYPE = "networking_fipd"
RELEVANT_OF_PORT = ("binding:host_id", "binding:profile", "fixed_ips", "admin_state_up")


class FipdPlugin(service_base.ServicePluginBase):
    supported_extension_aliases = []

    def __init__(self):
        super().__init__()
        options = opts.register(cfg.CONF)
        self._pending = service.pending(options)
        self._of_deleted_ports = {}   # port id -> ids of floating IPs that it lost
        self._subscribe()
        _listen_to_sessions(self._pending)
        _listen_to_tables()
        self._leadership = worker.Worker(options, socket.gethostname())
        self.add_worker(self._leadership)

    def get_plugin_type(self):
        return PLUGIN_TYPE

    def get_plugin_description(self):
        return "Writes floating IPs to etcd for fipd on the compute hosts"

    def start_rpc_listeners(self):
        """Each RPC worker calls this. Where uWSGI serves the API and neutron-rpc-server the rest,
        as Debian does it, nobody starts the workers of plugins: so its RPC workers lead as well."""
        self._leadership.start_thread()
        return []

    def _subscribe(self):
        changes = (events.AFTER_CREATE, events.AFTER_UPDATE, events.AFTER_DELETE)
        for handler, resource, wanted in (
                (self._floating_ip, resources.FLOATING_IP, changes),
                (self._port_updated, resources.PORT, (events.AFTER_UPDATE,)),
                (self._port_deleted, resources.PORT, (events.AFTER_DELETE,)),
                (self._forwarding, forwarding.PORT_FORWARDING, changes),
                (self._router, resources.ROUTER, (events.AFTER_UPDATE,)),
                (self._gateway, resources.ROUTER_GATEWAY,
                 (events.AFTER_CREATE, events.AFTER_UPDATE, events.AFTER_DELETE)),
                (self._network, resources.NETWORK, (events.AFTER_UPDATE,))):
            for event in wanted:
                registry.subscribe(handler, resource, event)

    def _floating_ip(self, resource, event, trigger, payload):
        states = [state for state in payload.states if state]
        fip_id = payload.resource_id or states[-1]["id"]
        ports = {state.get("port_id") for state in states} - {None}
        self._note(payload.context, "fip", fip_id)
        for port_id in ports:
            # Others of the port: which of them is primary may change.
            self._note(payload.context, "port", port_id)
        if event == events.AFTER_UPDATE and ports and not states[-1].get("port_id"):
            self._remember(ports, fip_id)

    def _remember(self, ports, fip_id):
        """Deleting a port disassociates inside a transaction that is still open, and afterwards
        nothing connects the port with its floating IPs."""
        while len(self._of_deleted_ports) > 1000:
            self._of_deleted_ports.pop(next(iter(self._of_deleted_ports)))
        for port_id in ports:
            self._of_deleted_ports.setdefault(port_id, set()).add(fip_id)

    def _port_updated(self, resource, event, trigger, payload):
        before, now = payload.states[0], payload.latest_state
        if any((before or {}).get(name) != now.get(name) for name in RELEVANT_OF_PORT):
            self._note(payload.context, "port", now["id"])

    def _port_deleted(self, resource, event, trigger, payload):
        port_id = payload.resource_id or payload.latest_state["id"]
        for fip_id in self._of_deleted_ports.pop(port_id, ()):
            self._note(payload.context, "fip", fip_id)

    def _forwarding(self, resource, event, trigger, payload):
        for state in payload.states:
            self._note(payload.context, "fip", state["floatingip_id"])

    def _router(self, resource, event, trigger, payload):
        self._note(payload.context, "router",
                   payload.resource_id or payload.latest_state["id"])

    def _gateway(self, resource, event, trigger, payload):
        self._note(payload.context, "router",
                   payload.resource_id or (payload.metadata or {}).get("router_id"))

    def _network(self, resource, event, trigger, payload):
        before, now = payload.states[0], payload.latest_state
        if any(before.get(name) != now.get(name) for name in ("admin_state_up", "qos_policy_id")):
            self._note(payload.context, "network", now["id"])

    def _note(self, context, kind, key):
        self._pending.add(kind, key)
        session = getattr(context, "session", None)
        if session is not None and db_api.is_session_active(session):
            # The change is not committed yet, and the thread may be quicker.
            _at_end(session, (kind, key))


def _at_end(session, note):
    """Notes it again when the outermost transaction of the session is over."""
    session.info.setdefault(PLUGIN_TYPE, []).append(note)


def _listen_to_sessions(pending):
    def ended(session, transaction):
        # With many sessions a second: nothing but a look where we have no note.
        if transaction.parent is None and PLUGIN_TYPE in session.info:
            for kind, key in session.info.pop(PLUGIN_TYPE):
                pending.add(kind, key)
    db_api.sqla_listen(sa.orm.Session, "after_transaction_end", ended)


def _listen_to_tables():
    """A table's row changed: noted when its transaction is over."""
    for model, kind, column in ((ml2.PortBinding, "port", "port_id"),
                                (qos.QosBandwidthLimitRule, "policy", "qos_policy_id")):
        def changed(mapper, connection, row, kind=kind, column=column):
            key = getattr(row, column)
            session = sa.orm.object_session(row)
            if session is not None:
                _at_end(session, (kind, key))
        for event in ("after_insert", "after_update", "after_delete"):
            db_api.sqla_listen(model, event, changed)
