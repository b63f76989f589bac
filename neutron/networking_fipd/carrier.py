"""Carries what the hosts say (board) into Neutron: status of floating IPs, heartbeats of agents.

Belongs to the leader's main thread. flush() does what has gathered; what fails stays for the next.
"""
import itertools
import time

from oslo_log import log as logging

from networking_fipd import keys
from networking_fipd import neutron_status

LOG = logging.getLogger(__name__)

AT_ONCE = 200


class Carrier:
    def __init__(self, etcd, names, board, writer, neutron=neutron_status, clock=time.monotonic):
        self._etcd = etcd
        self._names = names
        self._board = board
        self._writer = writer
        self._neutron = neutron
        self._clock = clock
        self._dirty = {}         # id -> None, in order
        self._reasons = {}       # id -> reason last logged
        self._overdue = {}       # host -> None: its floating IPs are to be marked dirty
        self._beaten = {}        # host -> when its heartbeat was last written

    def reset(self, items):
        self._dirty.update(dict.fromkeys(self._board.reset(items)))

    def take(self, batch):
        """Events of the watch below status/."""
        for item, deleted in batch:
            fip_id = self._board.take(item.key, item.value, deleted)
            if fip_id is not None:
                self._dirty[fip_id] = None

    def flush(self):
        self._overdue.update(dict.fromkeys(self._board.overdue()))
        for host in list(self._overdue):
            self._mark(host)
            del self._overdue[host]
        while self._dirty:
            ids = list(itertools.islice(self._dirty, AT_ONCE))
            held = self._writer.indexes(ids)
            self._settle({fip_id: held.get(fip_id) for fip_id in ids})
            for fip_id in ids:
                self._dirty.pop(fip_id, None)

    def _mark(self, host):
        """Its reports went with its lease: only the controller's keys say what it serves."""
        for page in self._etcd.pages(self._names.bindings_of(host), keys_only=True):
            for item in page.items:
                whose = self._names.binding_of(item.key)
                if whose is not None:
                    self._dirty[whose[1]] = None

    def everything(self, unplaced, unassociated):
        """After a comparison: all floating IPs that etcd has, those that no host can have
        (id -> Placement), and those that have no port but are not DOWN."""
        for page in self._etcd.pages(self._names.index):
            indexes = {self._names.id_of_index(item.key): keys.decoded(item.value)
                       for item in page.items}
            for ids in _slices(list(indexes)):
                self._settle({fip_id: indexes[fip_id] for fip_id in ids})
        for ids in _slices(list(unplaced)):
            self._neutron.apply({fip_id: self._neutron.of_nowhere(unplaced[fip_id].failed)
                                 for fip_id in self._still_nowhere(ids)})
        for ids in _slices(list(unassociated)):
            self._settle(dict.fromkeys(self._still_nowhere(ids)))

    def _still_nowhere(self, ids):
        """The lists are from the comparison: meanwhile some may have been placed, and their host's
        word been carried."""
        held = self._writer.indexes(ids)
        return [fip_id for fip_id in ids if not keys.hosts_of(held.get(fip_id))]

    def _settle(self, indexes):
        wanted, released = {}, set()
        for fip_id, index in indexes.items():
            status, reason = self._board.status(fip_id, index)
            if status is not None:
                wanted[fip_id] = status
                self._tell(fip_id, status, reason)
            if self._may_release(fip_id, index):
                released.add(fip_id)
        self._neutron.apply(wanted)
        if released:
            self._writer.sync(released, released=released)

    def _may_release(self, fip_id, index):
        """Whether a former host waits that need not: the new one has announced it."""
        hosts = keys.hosts_of(index)
        if keys.LEAVING not in hosts.values():
            return False
        return any(role in keys.SERVING and self._board.announces(fip_id, host)
                   for host, role in hosts.items())

    def _tell(self, fip_id, status, reason):
        if status != neutron_status.ERROR:
            self._reasons.pop(fip_id, None)
        elif self._reasons.get(fip_id) != reason:
            self._reasons[fip_id] = reason
            LOG.error("floating IP %s cannot be served: %s", fip_id, reason)

    def heartbeats(self, interval):
        now = self._clock()
        for host, agent in list(self._board.agents.items()):
            if now - self._beaten.get(host, -interval) >= interval:
                self._neutron.heartbeat(host, agent)
                self._beaten[host] = now
        for host in self._beaten.keys() - self._board.agents.keys():
            del self._beaten[host]


def _slices(ids):
    return [ids[start:start + AT_ONCE] for start in range(0, len(ids), AT_ONCE)]
