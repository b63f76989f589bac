"""The complete comparison of the database with etcd.

Everything is read in bulk, without locks; what seems to differ is only suspected, and goes through
the writer, which reads it again and decides.
"""
import collections
import time

from oslo_log import log as logging

from networking_fipd import etcd as etcd_module
from networking_fipd import keys
from networking_fipd import plan

LOG = logging.getLogger(__name__)

# complete: nothing was left as it is because etcd refused it or nobody knows what it should be.
Result = collections.namedtuple("Result", "floating_ips differing repaired unplaced complete")

AT_ONCE = 200


class Comparison:
    def __init__(self, etcd, names, database, writer, stopped=lambda: False, settle=1.0):
        self._etcd = etcd
        self._names = names
        self._database = database
        self._writer = writer
        self._stopped = stopped
        self._settle_seconds = settle

    def run(self, repair=True):
        """Result, or None where it was stopped; `differing` are ids."""
        held = self._read_etcd()
        count, suspects, unplaced, complete = 0, [], {}, True
        for ids in self._pages_of_database():
            if self._stopped():
                return None
            wanted_now = self._writer.wanted(ids)
            for fip_id in ids:
                count += 1
                mine, wanted = held.pop(fip_id, plan.Held()), wanted_now.get(fip_id)
                if wanted is None:
                    complete = False
                    continue
                if self._writer.difference(fip_id, mine, wanted):
                    suspects.append((fip_id, mine))
                if wanted[0].reason:
                    unplaced[fip_id] = wanted[0]
        # What is left in `held` is nobody's in the database.
        suspects.extend(held.items())
        if suspects:
            # Most are changes that other threads are just writing.
            time.sleep(self._settle_seconds)
        differing, repaired, settled = self._settle(suspects, repair)
        if self._stopped():
            return None
        return Result(count, differing, repaired, unplaced, complete and settled)

    def _read_etcd(self):
        hosts = collections.defaultdict(dict)
        # Host keys first: a key that is written meanwhile then is no stray.
        for page in self._etcd.pages(self._names.hosts):
            for item in page.items:
                whose = self._names.binding_of(item.key)
                if whose is None:
                    LOG.warning("etcd has the key %r, which is no host's floating IP", item.key)
                else:
                    hosts[whose[1]][whose[0]] = (keys.decoded(item.value), item.lease)
        held = {}
        for page in self._etcd.pages(self._names.index):
            for item in page.items:
                fip_id = self._names.id_of_index(item.key)
                held[fip_id] = plan.Held(item.revision, keys.decoded(item.value),
                                         hosts.pop(fip_id, {}))
        for fip_id, found in hosts.items():
            held[fip_id] = plan.Held(0, None, found)
        return held

    def _pages_of_database(self):
        after = ""
        while True:
            ids = self._database.wanted_ids(after)
            if not ids:
                return
            yield ids
            after = ids[-1]

    def _settle(self, suspects, repair):
        """Looks again at each suspect; (ids that differ indeed, how many were written, whether etcd
        took all)."""
        differing, repaired, complete = [], 0, True
        for start in range(0, len(suspects), AT_ONCE):
            if self._stopped():
                break
            some = dict(suspects[start:start + AT_ONCE])
            seen = {fip_id: set(mine.hosts) for fip_id, mine in some.items()}
            if repair:
                try:
                    placements, written = self._writer.sync(some, seen)
                    complete = complete and len(placements) == len(some)
                except etcd_module.Refused as error:
                    LOG.error("etcd refuses to repair %d floating IPs: %s", len(some), error)
                    written, complete = set(), False
                differing.extend(sorted(written))
                repaired += len(written)
            else:
                differing.extend(self._still_differing(some, seen))
        return differing, repaired, complete

    def _still_differing(self, some, seen):
        now, wanted = self._writer.read(some, seen), self._writer.wanted(some)
        changes = (self._writer.difference(fip_id, now[fip_id], wanted[fip_id])
                   for fip_id in sorted(wanted))
        return [change.fip_id for change in changes if change and not change.only_tidies]
