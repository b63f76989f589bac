"""What a leader does in its term, over an etcd, a database and a Neutron in memory."""
import contextlib
import json
import queue
import threading
import types

from fake_etcd import FakeDatabase, FakeEtcd
from networking_fipd import etcd as etcd_module
from networking_fipd import keys
from networking_fipd import leadership
from networking_fipd.writer import Writer
import pytest
from test_writer import on

NAMES = keys.Keys("/fipd/v1")
LEASE = 5


class Bench:
    def __init__(self, monkeypatch):
        self.etcd, self.database = FakeEtcd(), FakeDatabase()
        self.database.unwanted_with_status = list
        self.etcd.put(NAMES.leader, "{}", LEASE)
        self.term = types.SimpleNamespace(over=threading.Event(), lease=LEASE)
        monkeypatch.setattr(leadership, "database", self.database)
        monkeypatch.setattr(leadership.service, "writer", lambda options, etcd: Writer(
            etcd, NAMES, self.database))
        monkeypatch.setattr(leadership.compare, "time", types.SimpleNamespace(
            sleep=lambda seconds: None))
        options = types.SimpleNamespace(status_grace=75, compare_interval=300,
                                        heartbeat_interval=30)
        self.work = leadership._Work(options, NAMES, "a", self.term, lambda: self.etcd)

    def compared(self):
        """One comparison, to its last word."""
        thread = threading.Thread(target=self.work._compare, daemon=True)
        thread.start()
        try:
            return self.work._events.get(timeout=10)
        except queue.Empty:
            return None
        finally:
            self.term.over.set()
            self.work._compare_now.set()
            thread.join(10)

    def ready(self):
        text = self.etcd.items.get(NAMES.ready, (None,))[0]
        return text and json.loads(text)


@pytest.fixture
def bench(monkeypatch):
    return Bench(monkeypatch)


def test_ready_follows_a_comparison(bench):
    bench.database.fips["f1"] = on("compute1")
    assert bench.compared()[0] == "everything"
    assert bench.ready()["floating_ips"] == 1


def test_ready_does_not_follow_a_repair_that_etcd_refused(bench):
    bench.database.fips["f1"] = on("compute1")

    def refuse():
        raise etcd_module.Refused("no space")
    bench.etcd.before_txn.append(refuse)
    assert bench.compared()[0] == "everything"
    assert bench.ready() is None


def test_what_follows_a_comparison_is_tried_again_where_it_failed(bench, monkeypatch):
    monkeypatch.setattr(leadership, "PAUSE", 0.01)
    carried, failures = [], [RuntimeError("database is locked"), etcd_module.Unavailable("away")]

    def everything(unplaced, unassociated):
        if failures:
            raise failures.pop()
        carried.append((unplaced, unassociated))
    monkeypatch.setattr(bench.work._carrier, "everything", everything)
    bench.work._events.put(("everything", ({}, ["f1"])))
    for _ in range(4):
        bench.work.turn()
    assert carried == [({}, ["f1"])]


class Term:
    lease = LEASE

    def __init__(self, over):
        self.over = threading.Event()
        if over:
            self.over.set()

    def end(self):
        self.over.set()


@pytest.mark.parametrize("over", [False, True])
@pytest.mark.parametrize("trouble", [None, etcd_module.Unavailable("away"),
                                     etcd_module.Refused("lease not found")])
def test_however_a_term_ends_its_lease_is_given_back(monkeypatch, over, trouble):
    revoked = []

    def revoke(lease):
        revoked.append(lease)
        if trouble:
            raise trouble

    class Work:
        def __init__(self, *_):
            pass

        def start(self):
            pass

        def turn(self):
            raise MemoryError("in the middle of a term")
    monkeypatch.setattr(leadership, "_Work", Work)
    leading = leadership.Leadership(types.SimpleNamespace(etcd_prefix="/fipd/v1"), "a")
    term = Term(over)
    with contextlib.nullcontext() if over else pytest.raises(MemoryError):
        leading._lead(types.SimpleNamespace(revoke=revoke), term)
    assert revoked == [LEASE] and term.over.is_set()
