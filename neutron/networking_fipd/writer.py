"""Makes etcd equal to the database for some floating IPs, whoever else does the same.

The index key of each is read, then the database, then all its keys are written in one transaction
on the condition that the index key did not change; then the database is read again, and the whole
repeated where it moved. So the last writer has always seen the last commit. Not thread-safe.
"""
import time

from oslo_log import log as logging

from networking_fipd import etcd as etcd_module
from networking_fipd import keys
from networking_fipd import placement
from networking_fipd import plan

LOG = logging.getLogger(__name__)

MOST_OPERATIONS = 120   # etcd takes 128 in a transaction
MOST_BYTES = 1000 * 1000  # etcd takes 1.5 MiB in a request
MOST_ROUNDS = 20


class Writer:
    def __init__(self, etcd, names, database, handover=10, interface="tap"):
        """database.load(ids) -> {id: placement.FloatingIp}."""
        self._etcd = etcd
        self._names = names
        self._database = database
        self._handover = handover
        self._interface = interface
        self._lease = 0
        self._lease_until = 0.0

    def sync(self, ids, seen=None, released=frozenset()):
        """Writes what differs; returns {id: Placement} of all that wanted() has, and the ids that
        were written.

        seen: {id: hosts} that may have a key although the index does not name them.
        released: ids whose former host need not serve any longer.
        """
        remaining, done, written = set(ids), {}, set()
        for _ in range(MOST_ROUNDS):
            held = self.read(remaining, seen)
            wanted = self.wanted(remaining)
            changes = self._changes(held, wanted, released)
            refused = self._write(changes)
            changed = {change.fip_id for change in changes} - refused
            written |= {change.fip_id for change in changes
                        if change.fip_id in changed and not change.only_tidies}
            done.update((fip_id, placed) for fip_id, (placed, _) in wanted.items())
            # Whoever wrote must look again: a commit after the read may have found etcd already
            # as it should be then, and written nothing.
            moved = {fip_id for fip_id, now in self.wanted(changed).items()
                     if now != wanted[fip_id]}
            remaining = refused | moved
            if not remaining:
                return done, written
        raise etcd_module.Unavailable(
            f"floating IPs {', '.join(sorted(remaining)[:5])} changed {MOST_ROUNDS} times while "
            "they were written")

    def wanted(self, ids):
        """id -> (Placement, index value or None), from the database as it is now; without those
        whose record cannot be understood: their keys stay as they are, and hold up no others."""
        fips = self._database.load(ids) if ids else {}
        found = {}
        for fip_id in ids:
            try:
                found[fip_id] = wanted(fips.get(fip_id), self._interface)
            except Exception:
                LOG.exception("floating IP %s stays as etcd has it: its record in Neutron's "
                              "database cannot be understood", fip_id)
        return found

    def difference(self, fip_id, held, wanted_now):
        """The plan.Change that would be written, or None."""
        return plan.change(self._names, fip_id, held, *wanted_now, self._handover)

    def indexes(self, ids):
        """id -> value of the index key, of those that have one."""
        items = self._get({self._names.index_of(fip_id): fip_id for fip_id in ids})
        return {fip_id: keys.decoded(item.value) for fip_id, item in items.items()}

    def read(self, ids, seen=None):
        """id -> plan.Held."""
        indexes = self._get({self._names.index_of(fip_id): fip_id for fip_id in ids})
        bindings = {}
        for fip_id in ids:
            hosts = set((seen or {}).get(fip_id, ()))
            if fip_id in indexes:
                hosts.update(keys.hosts_of(keys.decoded(indexes[fip_id].value)))
            for host in hosts:
                bindings[self._names.binding(host, fip_id)] = (fip_id, host)
        found = {}
        for (fip_id, host), item in self._get(bindings).items():
            found.setdefault(fip_id, {})[host] = (keys.decoded(item.value), item.lease)
        return {fip_id: plan.Held(
            indexes[fip_id].revision if fip_id in indexes else 0,
            keys.decoded(indexes[fip_id].value) if fip_id in indexes else None,
            found.get(fip_id, {})) for fip_id in ids}

    def _get(self, names):
        """{key: label} -> {label: KeyValue} of those that exist."""
        found = {}
        ordered = list(names.items())
        for start in range(0, len(ordered), MOST_OPERATIONS):
            some = ordered[start:start + MOST_OPERATIONS]
            answer = self._etcd.txn([], [etcd_module.get_op(key) for key, _ in some])
            for (_, label), response in zip(some, answer.responses):
                item = etcd_module.got(response)
                if item is not None:
                    found[label] = item
        return found

    def _changes(self, held, wanted_now, released):
        changes = []
        for fip_id in sorted(wanted_now):
            made = plan.change(self._names, fip_id, held[fip_id], *wanted_now[fip_id],
                               self._handover, fip_id in released)
            if made is not None:
                changes.append(made)
        return changes

    def _write(self, changes):
        """Several in a transaction; one refused is tried each by itself. Returns who was refused."""
        refused = set()
        for batch in _batches(changes):
            if not self._commit(batch):
                refused.update(change.fip_id for change in batch
                               if len(batch) == 1 or not self._commit([change]))
        return refused

    def _commit(self, batch):
        lease = self._handover_lease() if any(change.leaving for change in batch) else 0
        try:
            return self._etcd.txn(
                [condition for change in batch for condition in change.compare],
                [operation for change in batch for operation in change.operations(lease)]
            ).succeeded
        except etcd_module.Refused as error:
            if not lease or "lease not found" not in str(error):
                raise
            # etcd was wiped or restored since it was granted.
            self._lease_until = 0.0
            raise etcd_module.Unavailable(str(error)) from error

    def _handover_lease(self):
        """A lease that lasts between one and two times `handover`: several moves share one."""
        now = time.monotonic()
        if now > self._lease_until:
            self._lease = self._etcd.grant(2 * self._handover)
            self._lease_until = now + self._handover
        return self._lease


def wanted(fip, interface):
    if fip is None:
        return placement.Placement(), None
    placed = placement.place(fip, interface)
    return placed, placement.index_value(fip, placed) if fip.wanted else None


def _batches(changes):
    batch, operations, size = [], 0, 0
    for change in changes:
        length = sum(len(keys.encoded(value)) for _, value in change.puts + change.leaving)
        if batch and (operations + change.size > MOST_OPERATIONS or size + length > MOST_BYTES):
            yield batch
            batch, operations, size = [], 0, 0
        batch.append(change)
        operations += change.size
        size += length
    if batch:
        yield batch
