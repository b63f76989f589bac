"""What a leader does in its term, and the waiting for one.

Three threads in a term: the lease (leader.Term), the watch on status/, the comparison; the caller's
thread carries status into Neutron. All end with the term, each within some seconds.
"""
import contextlib
import queue
import threading
import time

from oslo_log import log as logging

from networking_fipd import board as board_module
from networking_fipd import carrier as carrier_module
from networking_fipd import compare
from networking_fipd import database
from networking_fipd import etcd as etcd_module
from networking_fipd import keys
from networking_fipd import leader
from networking_fipd import service
from networking_fipd import watch as watch_module

LOG = logging.getLogger(__name__)

TICK = 0.2
PAUSE = 2.0
SILENCE = 10.0  # of the watch, until it is begun anew


class Leadership:
    def __init__(self, options, name):
        self._options = options
        self._names = keys.Keys(options.etcd_prefix)
        self._name = name
        self._stop = threading.Event()

    def stop(self):
        self._stop.set()

    def run(self):
        """Until stop(): waits for its turn, leads, waits again."""
        etcd, failures = self._client(), 0
        while not self._stop.is_set():
            try:
                term = leader.campaign(etcd, self._client(), self._names, self._name,
                                       self._options.leader_ttl)
                failures = 0
                if term is not None:
                    self._lead(etcd, term)
            except Exception as error:
                failures += 1
                (LOG.warning if failures == 1 else LOG.debug)(
                    "no comparison of database and etcd now: %s", error,
                    exc_info=not isinstance(error, (etcd_module.Unavailable,
                                                    etcd_module.Refused)))
            self._stop.wait(self._options.leader_ttl / 3)

    def _client(self):
        return etcd_module.Etcd.from_options(self._options)

    def _lead(self, etcd, term):
        try:
            work = _Work(self._options, self._names, self._name, term, self._client)
            work.start()
            while not (self._stop.is_set() or term.over.is_set()):
                work.turn()
        finally:
            term.end()
            # Whatever ended it, another need not wait for the lease; where etcd is away it ends
            # by itself.
            with contextlib.suppress(etcd_module.Unavailable, etcd_module.Refused):
                etcd.revoke(term.lease)


class _Work:
    def __init__(self, options, names, name, term, client):
        self._options = options
        self._names = names
        self._name = name
        self._term = term
        self._client = client
        self._events = queue.Queue(maxsize=1000)
        self._compare_now = threading.Event()
        self._everything = None   # of the last comparison, until it is carried
        etcd = client()
        self._carrier = carrier_module.Carrier(
            etcd, names, board_module.Board(names, options.status_grace),
            service.writer(options, etcd))

    def start(self):
        for action in (self._watch, self._compare):
            threading.Thread(target=self._until_over, args=(action,), daemon=True,
                             name=f"networking_fipd {action.__name__}").start()

    def turn(self):
        """Takes what has come within a tick, and carries it."""
        try:
            self._gather()
            self._carrier.flush()
            self._carrier.heartbeats(self._options.heartbeat_interval)
            if self._everything is not None:
                self._carrier.everything(*self._everything)
                self._everything = None
        except Exception as error:
            LOG.warning("the hosts' status does not reach Neutron now: %s", error,
                        exc_info=not str(error))
            self._term.over.wait(PAUSE)

    def _gather(self):
        with contextlib.suppress(queue.Empty):
            self._take(self._events.get(timeout=TICK))
            while True:
                self._take(self._events.get_nowait())

    def _take(self, event):
        kind, content = event
        if kind == "snapshot":
            self._carrier.reset(content)
        elif kind == "events":
            self._carrier.take(content)
        else:
            self._everything = content

    def _until_over(self, action):
        while not self._term.over.is_set():
            try:
                action()
            except Exception as error:
                LOG.warning("%s: %s", action.__name__.strip("_"), error,
                            exc_info=not isinstance(error, (
                                etcd_module.Unavailable, etcd_module.Refused, watch_module.Lost)))
                self._term.over.wait(PAUSE)

    def _watch(self):
        etcd = self._client()
        items, page = [], None
        for page in etcd.pages(self._names.statuses):
            items.extend((item.key, item.value) for item in page.items)
        self._put("snapshot", items)
        watch = watch_module.Watch(etcd, self._names.statuses, page.revision, page.cluster,
                                   SILENCE)
        try:
            while not self._term.over.is_set():
                for batch in watch.events():
                    self._put("events", batch)
                    if self._term.over.is_set():
                        return
        except watch_module.Lost:
            # The other keys may be old as well.
            self._compare_now.set()
            raise

    def _put(self, kind, content):
        while not self._term.over.is_set():
            try:
                return self._events.put((kind, content), timeout=1)
            except queue.Full:
                continue

    def _compare(self):
        etcd = self._client()
        comparison = compare.Comparison(etcd, self._names, database,
                                        service.writer(self._options, etcd),
                                        self._term.over.is_set)
        while not self._term.over.is_set():
            self._compare_now.clear()
            begun = time.monotonic()
            result = comparison.run()
            if result is None:
                return
            self._tell(result, time.monotonic() - begun)
            if result.complete:
                self._ready(etcd, result)
            else:
                LOG.warning("not all keys are in etcd as they should be (see above): `ready` is "
                            "not put")
            self._put("everything", (result.unplaced, database.unwanted_with_status()))
            self._compare_now.wait(self._options.compare_interval)

    @staticmethod
    def _tell(result, seconds):
        (LOG.warning if result.repaired else LOG.info)(
            "compared %d floating IPs with etcd in %.1f s: %d differed%s",
            result.floating_ips, seconds, len(result.differing),
            f" and are repaired, among them {', '.join(result.differing[:5])}"
            if result.differing else "")

    def _ready(self, etcd, result):
        value = {"at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "by": self._name,
                 "floating_ips": result.floating_ips}
        condition = {"key": etcd_module.b64(self._names.leader), "result": "EQUAL",
                     "target": "LEASE", "lease": str(self._term.lease)}
        etcd.txn([condition], [etcd_module.put_op(self._names.ready, keys.encoded(value))])
