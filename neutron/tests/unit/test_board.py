"""What the hosts say, and what Neutron is told of it."""
import json

from networking_fipd import keys
from networking_fipd.board import Board
import pytest

NAMES = keys.Keys("/fipd/v1")
ON1 = {"hosts": {"compute1": ""}}


class Bench:
    def __init__(self):
        self.now = 100.0
        self.board = Board(NAMES, 75, lambda: self.now)

    def agent(self, host="compute1", deleted=False, **more):
        return self.board.take(f"/fipd/v1/status/{host}/agent", json.dumps(more), deleted)

    def says(self, state, reason="", host="compute1", deleted=False):
        return self.board.take(f"/fipd/v1/status/{host}/fip/f1",
                               json.dumps({"state": state, "reason": reason}), deleted)

    def status(self, index=ON1):
        return self.board.status("f1", index)[0]


@pytest.fixture
def bench():
    return Bench()


@pytest.mark.parametrize("state, bird, status", [
    ("announced", True, "ACTIVE"), ("drained", True, "ACTIVE"), ("routed", True, "DOWN"),
    ("routed", False, "ACTIVE"), ("translated", False, "ACTIVE"), ("translated", True, "DOWN"),
    ("learned", True, "DOWN"), ("waiting", True, "DOWN"), ("withdrawing", True, "DOWN"),
    ("new in fipd 2", True, "DOWN"), ("conflict", True, "ERROR"), ("refused", True, "ERROR"),
    ("failed", False, "ERROR")])
def test_states(bench, state, bird, status):
    bench.agent(bird=bird)
    assert bench.says(state) == "f1"
    assert bench.status() == status


def test_an_error_has_the_hosts_reason(bench):
    bench.agent()
    bench.says("refused", "outside of the pools")
    assert bench.board.status("f1", ON1) == ("ERROR", "refused: outside of the pools")


def test_only_the_serving_host_is_asked(bench):
    bench.agent(), bench.agent("compute2")
    bench.says("announced", host="compute2")
    assert bench.status() == "DOWN"
    assert bench.status({"hosts": {"compute1": "leaving", "compute2": ""}}) == "ACTIVE"
    assert bench.status({"hosts": {"compute1": "source", "compute2": "target"}}) == "DOWN"


def test_an_agent_without_a_report_is_down_and_a_deleted_report_too(bench):
    bench.agent()
    assert bench.status() == "DOWN"
    bench.says("announced")
    assert bench.status() == "ACTIVE"
    bench.says("", deleted=True)
    assert bench.status() == "DOWN"


def test_without_an_agent_nothing_is_said_for_the_time_of_grace(bench):
    bench.agent()
    bench.says("announced")
    bench.agent(deleted=True)
    bench.now += 74
    assert bench.status() is None and bench.board.overdue() == []
    bench.now += 2
    assert bench.board.overdue() == ["compute1"] and bench.status() == "DOWN"
    assert bench.board.overdue() == [], "told once"


def test_an_agent_that_comes_back_in_time_was_never_away(bench):
    bench.agent()
    bench.agent(deleted=True)
    bench.now += 10
    bench.agent(), bench.says("announced")
    bench.now += 100
    assert bench.status() == "ACTIVE" and bench.board.overdue() == []


def test_a_new_leader_gives_unseen_hosts_their_time(bench):
    assert bench.status() is None
    bench.now += 76
    assert bench.status() == "DOWN"


def test_in_no_index_it_is_down_and_on_no_host_the_writer_has_told(bench):
    assert bench.status(None) == "DOWN"
    assert bench.status({"hosts": {}, "reason": "several hosts"}) is None
    assert bench.status({"hosts": "garbage"}) is None


def test_a_snapshot_replaces_everything(bench):
    bench.agent(), bench.says("announced")
    bench.board.reset([("/fipd/v1/status/compute2/agent", "{}")])
    assert set(bench.board.agents) == {"compute2"}
    bench.now += 76
    assert bench.board.overdue() == ["compute1"]


def test_a_snapshot_tells_of_whom_it_says_something_else(bench):
    def snapshot(agents, reports):
        return sorted(bench.board.reset(
            [(f"/fipd/v1/status/{host}/agent", json.dumps(agent)) for host, agent in agents.items()]
            + [(f"/fipd/v1/status/{host}/fip/{fip_id}", json.dumps({"state": state}))
               for (host, fip_id), state in reports.items()]))

    said = {("c1", "a"): "announced", ("c1", "b"): "announced", ("c2", "c"): "announced"}
    both = {"c1": {"sessions": 1}, "c2": {}}
    assert snapshot(both, said) == ["a", "b", "c"], "the first"
    assert snapshot({**both, "c1": {"sessions": 2}}, said) == []
    assert snapshot(both, {**said, ("c1", "a"): "waiting"}) == ["a"]
    del said["c1", "b"]
    assert snapshot(both, {**said, ("c3", "d"): "announced"}) == ["a", "b", "d"]
    assert snapshot({**both, "c1": {"bird": False}}, said) == ["a", "d"]
    assert snapshot({"c1": {"bird": False}}, said) == ["c"]


@pytest.mark.parametrize("key, text", [
    ("/fipd/v1/status/compute1/agent", "{"), ("/fipd/v1/status/compute1/fip/f1", "[]"),
    ("/fipd/v1/status/x", "{}")])
def test_garbage_is_no_word(bench, key, text):
    bench.board.take(key, text, False)
    assert bench.board.agents == {} and bench.board.status("f1", None)[0] == "DOWN"


def test_announced_counts_for_a_handover_only_from_a_living_host(bench):
    bench.says("announced")
    assert not bench.board.announces("f1", "compute1")
    bench.agent()
    assert bench.board.announces("f1", "compute1")
