"""Terms of leaders, and what the leader carries into Neutron."""
import json
import time

from fake_etcd import FakeDatabase, FakeEtcd
from networking_fipd import etcd as etcd_module
from networking_fipd import keys
from networking_fipd import leader
from networking_fipd.board import Board
from networking_fipd.carrier import Carrier
from networking_fipd.placement import Placement
from networking_fipd.writer import Writer
import pytest
from test_writer import on
from waiting import stays, wait_for

NAMES = keys.Keys("/fipd/v1")


class Keeper:
    """Answers of keep_alive one after the other; the last for ever. An exception is raised."""

    timeout = 3.0

    def __init__(self, *answers):
        self.answers = list(answers)
        self.asked = 0

    def keep_alive(self, lease):
        self.asked += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


def term(keeper, ttl=0.6):
    return leader.Term(keeper, 7, ttl, time.monotonic())


def test_there_is_one_leader_at_a_time():
    etcd = FakeEtcd()
    etcd.range = lambda key: next(etcd.pages(key))
    etcd.revoke = etcd.expire
    first = leader.campaign(etcd, Keeper(30), NAMES, "a", 30)
    assert first is not None
    assert leader.campaign(etcd, Keeper(30), NAMES, "b", 30) is None
    assert json.loads(etcd.items["/fipd/v1/leader"][0])["by"] == "a"
    etcd.expire(first.lease)
    second = leader.campaign(etcd, Keeper(30), NAMES, "b", 30)
    assert second is not None
    for each in (first, second):
        each.end()


def test_a_lease_that_is_kept_keeps_the_term():
    kept = term(Keeper(0.6))
    stays(lambda: not kept.over.is_set(), 1.5, "the term lasts")
    kept.end()


@pytest.mark.parametrize("trouble", [0, etcd_module.Unavailable("away"),
                                     etcd_module.Refused("no")])
def test_a_term_is_over_before_its_lease_can_have_ended(trouble):
    begun = time.monotonic()
    lost = term(Keeper(trouble))
    wait_for(lost.over.is_set, 5, "the end")
    assert time.monotonic() - begun < 0.6 + 0.3  # a loaded machine's share


def test_one_failure_is_not_the_end():
    keeper = Keeper(etcd_module.Unavailable("once"), 60)
    kept = term(keeper, 6.0)
    wait_for(lambda: keeper.asked == 2, 10, "another attempt")
    assert not kept.over.is_set()
    kept.end()


class Neutron:
    def __init__(self):
        self.statuses, self.beats = {}, []

    def apply(self, wanted):
        self.statuses.update(wanted)

    @staticmethod
    def of_nowhere(failed):
        return "ERROR" if failed else "DOWN"

    def heartbeat(self, host, agent):
        self.beats.append(host)


class Bench:
    def __init__(self):
        self.now = 0.0
        self.etcd, self.database, self.neutron = FakeEtcd(), FakeDatabase(), Neutron()
        self.writer = Writer(self.etcd, NAMES, self.database)
        self.carrier = Carrier(self.etcd, NAMES, Board(NAMES, 75, lambda: self.now), self.writer,
                               self.neutron, lambda: self.now)

    def place(self, host, fip_id="f1"):
        self.database.fips[fip_id] = on(host, fip_id)
        self.writer.sync([fip_id])

    def hear(self, host, state, fip_id="f1"):
        self.carrier.take([
            (item(f"/fipd/v1/status/{host}/agent", {}), False),
            (item(f"/fipd/v1/status/{host}/fip/{fip_id}", {"state": state}), False)])
        self.carrier.flush()


def item(key, value):
    return etcd_module.KeyValue(key, json.dumps(value), 1, 0)


@pytest.fixture
def bench():
    return Bench()


def test_what_a_host_says_reaches_neutron(bench):
    bench.place("compute1")
    bench.hear("compute1", "announced")
    assert bench.neutron.statuses == {"f1": "ACTIVE"}


def test_a_failure_of_neutron_loses_nothing(bench):
    bench.place("compute1")

    def fails(wanted):
        bench.neutron.apply = bench.neutron.statuses.update
        raise RuntimeError("database is locked")
    bench.neutron.apply = fails
    with pytest.raises(RuntimeError):
        bench.hear("compute1", "announced")
    bench.carrier.flush()
    assert bench.neutron.statuses == {"f1": "ACTIVE"}


def test_the_leaver_is_released_when_the_new_host_has_announced(bench):
    bench.place("compute1")
    bench.place("compute2")
    bench.hear("compute2", "routed")
    assert "/fipd/v1/host/compute1/fip/f1" in bench.etcd.items
    bench.hear("compute2", "announced")
    assert "/fipd/v1/host/compute1/fip/f1" not in bench.etcd.items


def test_what_was_said_while_nobody_watched_reaches_neutron(bench):
    bench.place("compute1")
    bench.place("compute1", "f2")
    bench.hear("compute1", "announced")
    bench.hear("compute1", "announced", "f2")
    bench.neutron.statuses.clear()
    bench.carrier.reset([("/fipd/v1/status/compute1/agent", "{}"),
                         ("/fipd/v1/status/compute1/fip/f1", '{"state": "refused"}'),
                         ("/fipd/v1/status/compute1/fip/f2", '{"state": "announced"}')])
    bench.carrier.flush()
    assert bench.neutron.statuses == {"f1": "ERROR"}


def test_everything_sets_what_no_event_told(bench):
    bench.place("compute1")
    bench.hear("compute1", "announced")
    bench.neutron.statuses.clear()
    bench.carrier.everything({"f2": Placement(reason="several hosts", failed=True),
                              "f3": Placement(reason="no host")}, ["f4"])
    assert bench.neutron.statuses == {"f1": "ACTIVE", "f2": "ERROR", "f3": "DOWN", "f4": "DOWN"}


def test_everything_leaves_alone_what_was_placed_since_the_comparison_began(bench):
    for fip_id in ("f1", "f2"):
        bench.place("compute1", fip_id)
        bench.hear("compute1", "announced", fip_id)
    told = []
    bench.neutron.apply = told.append
    bench.carrier.everything({"f1": Placement(reason="no host")}, ["f2"])
    assert all(status == "ACTIVE" for wanted in told for status in wanted.values()), told


@pytest.mark.parametrize("order", [1, -1])
def test_floating_ips_of_a_host_whose_lease_ended_are_down_after_the_time_of_grace(bench, order):
    bench.place("compute1")
    bench.hear("compute1", "announced")
    # Everything below the lease goes in one revision.
    bench.carrier.take([(item(f"/fipd/v1/status/compute1/{name}", {}), True)
                        for name in ("agent", "fip/f1")[::order]])
    for now, status in ((1, "ACTIVE"), (74, "ACTIVE"), (76, "DOWN")):
        bench.now = now
        bench.carrier.flush()
        assert bench.neutron.statuses == {"f1": status}


def test_floating_ips_of_a_host_that_no_report_named_are_down_then_as_well(bench):
    bench.place("compute1")
    bench.hear("compute1", "announced", "another")
    bench.carrier.take([(item("/fipd/v1/status/compute1/agent", {}), True)])
    bench.now = 76
    bench.carrier.flush()
    assert bench.neutron.statuses["f1"] == "DOWN"


def test_those_of_a_host_that_this_leader_has_never_seen_too(bench):
    bench.place("compute1")
    bench.carrier.everything({}, [])
    assert bench.neutron.statuses == {}
    bench.now = 76
    bench.carrier.flush()
    assert bench.neutron.statuses == {"f1": "DOWN"}


def test_a_host_is_not_forgotten_where_etcd_was_away_when_its_time_ended(bench):
    bench.place("compute1")
    bench.hear("compute1", "announced")
    bench.carrier.take([(item("/fipd/v1/status/compute1/agent", {}), True)])
    bench.now, pages = 76, bench.etcd.pages

    def away(*_, **__):
        bench.etcd.pages = pages
        raise etcd_module.Unavailable("away")
    bench.etcd.pages = away
    with pytest.raises(etcd_module.Unavailable):
        bench.carrier.flush()
    bench.carrier.flush()
    assert bench.neutron.statuses == {"f1": "DOWN"}


def test_heartbeats_are_written_at_once_and_then_in_the_interval(bench):
    bench.hear("compute1", "announced")
    for now in (0, 10, 29, 30, 31, 60):
        bench.now = now
        bench.carrier.heartbeats(30)
    assert len(bench.neutron.beats) == 3
