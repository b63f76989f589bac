"""One process among all leads: it holds a key under a lease as long as the lease lives.

Term.over is set when the lease may have ended, before it can have: whoever works in a term looks
at it. Nothing relies on there being one leader only; all writes are conditional.
"""
import threading
import time

from oslo_log import log as logging

from networking_fipd import etcd as etcd_module
from networking_fipd import keys

LOG = logging.getLogger(__name__)


class Term:
    """The lease of a leader, and the thread that keeps it alive with a client of its own."""

    def __init__(self, etcd, lease, ttl, granted):
        self.over = threading.Event()
        self.lease = lease
        self._etcd = etcd
        self._ttl = ttl
        # An attempt that hangs must leave time for another.
        self._etcd.timeout = min(etcd.timeout, ttl / 4)
        self._until = granted + ttl
        self._thread = threading.Thread(target=self._keep, name="networking_fipd lease",
                                        daemon=True)
        self._thread.start()

    def _keep(self):
        pause = self._ttl / 3
        while not self.over.wait(pause):
            begun = time.monotonic()
            try:
                left = self._etcd.keep_alive(self.lease)
                if left <= 0:
                    LOG.warning("the leader's lease is gone from etcd")
                    break
                self._until, pause = begun + left, self._ttl / 3
                continue
            except (etcd_module.Unavailable, etcd_module.Refused) as error:
                pause = self._ttl / 10
                LOG.warning("the leader's lease is not kept alive: %s", error)
            if time.monotonic() + pause + self._etcd.timeout > self._until:
                break
        self.over.set()

    def end(self):
        self.over.set()
        self._thread.join(self._etcd.timeout + 1)


def campaign(etcd, keeper, names, name, ttl):
    """A Term if there is no leader now, else None. Raises Unavailable or Refused.

    keeper: the client for the term's thread.
    """
    if etcd.range(names.leader).items:
        return None
    granted = time.monotonic()
    lease = etcd.grant(ttl)
    value = keys.encoded({"by": name, "since": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())})
    answer = etcd.txn([etcd_module.at_revision(names.leader, 0)],
                      [etcd_module.put_op(names.leader, value, lease)])
    if not answer.succeeded:
        etcd.revoke(lease)
        return None
    LOG.info("%s leads: it compares Neutron's database with etcd", name)
    return Term(keeper, lease, ttl, granted)
