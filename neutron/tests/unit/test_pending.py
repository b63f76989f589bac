"""Notes of changes, and the thread that writes them."""
import os
import threading
import time

from networking_fipd import pending as pending_module
from networking_fipd.pending import Pending
import pytest
from waiting import wait_for


class Bench:
    def __init__(self, monkeypatch):
        monkeypatch.setattr(pending_module, "FIRST_PAUSE", 0.01)
        self.batches, self.failures = [], 0
        self.gate = threading.Event()
        self.gate.set()
        self.pending = Pending(self.write, lambda kind, key: {f"{kind}-{key}-1", f"{kind}-{key}-2"})

    def write(self, ids):
        self.gate.wait(5)
        if self.failures:
            self.failures -= 1
            raise RuntimeError("etcd is away")
        self.batches.append(set(ids))

    def written(self):
        return set().union(*self.batches)


@pytest.fixture
def bench(monkeypatch):
    return Bench(monkeypatch)


def test_adding_does_not_wait_for_the_writer(bench):
    bench.gate.clear()
    begun = time.monotonic()
    for n in range(1000):
        bench.pending.add("fip", f"f{n}")
    assert time.monotonic() - begun < 2
    bench.gate.set()
    wait_for(lambda: len(bench.written()) == 1000, 5, "all are written")


def test_what_gathers_while_the_writer_works_is_one_batch_and_each_id_once(bench):
    bench.gate.clear()
    bench.pending.add("fip", "first")
    wait_for(lambda: not bench.pending._notes, 5, "the first is taken")
    for _ in range(3):
        for n in range(20):
            bench.pending.add("fip", f"f{n}")
    bench.gate.set()
    wait_for(lambda: len(bench.batches) == 2, 5, "two batches")
    assert len(bench.batches[1]) == 20


def test_other_kinds_are_resolved_when_they_are_written(bench):
    bench.pending.add("port", "p")
    wait_for(lambda: bench.written() == {"port-p-1", "port-p-2"}, 5, "both of the port")


def test_what_could_not_be_written_is_written_later(bench):
    bench.failures = 3
    bench.pending.add("fip", "f1")
    wait_for(lambda: bench.written() == {"f1"}, 5, "written after three failures")


def test_a_note_without_a_key_is_none(bench):
    bench.pending.add("port", None)
    assert not bench.pending._notes and bench.pending._thread is None


def test_there_is_a_limit_to_what_is_kept(bench, monkeypatch):
    monkeypatch.setattr(pending_module, "MOST_KEPT", 50)
    bench.gate.clear()
    for n in range(500):
        bench.pending.add("fip", f"f{n}")
    assert len(bench.pending._notes) <= 50
    bench.gate.set()


def test_a_forked_process_has_a_thread_of_its_own(bench):
    bench.pending.add("fip", "parent")
    wait_for(bench.written, 5, "the parent's")
    # What waits in the parent is the parent's to write.
    bench.gate.clear()
    for n in range(3):
        bench.pending.add("fip", f"waits{n}")
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        bench.batches.clear()
        bench.gate.set()
        bench.pending.add("fip", "child")
        deadline = time.monotonic() + 5
        while not bench.batches and time.monotonic() < deadline:
            time.sleep(0.01)
        os.write(write, b"yes" if bench.written() == {"child"} else b"no")
        os._exit(0)
    os.waitpid(child, 0)
    bench.gate.set()
    assert os.read(read, 10) == b"yes"
