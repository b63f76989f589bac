"""The writer over an etcd and a database in memory: what is written, and what races do to it."""
import dataclasses
import json
import random
import types

from fake_etcd import FakeDatabase, FakeEtcd
from networking_fipd import compare
from networking_fipd import etcd as etcd_module
from networking_fipd import keys
from networking_fipd import writer
from networking_fipd.compare import Comparison
from networking_fipd.placement import Binding, FloatingIp, Port
from networking_fipd.writer import Writer
import pytest

NAMES = keys.Keys("/fipd/v1")
PORT = Port("9a7e0868-da11", addresses=("10.65.0.13",), bindings=(Binding("compute1"),))


def on(host, fip_id="f1", **port):
    return FloatingIp(fip_id, "172.16.1.3", fixed="10.65.0.13", port=dataclasses.replace(
        PORT, bindings=(Binding(host),), **port))


class Bench:
    def __init__(self, handover=10):
        self.etcd, self.database = FakeEtcd(), FakeDatabase()
        self.writer = Writer(self.etcd, NAMES, self.database, handover)

    def sync(self, *fips, **options):
        self.database.fips.update((fip.id, fip) for fip in fips)
        return self.writer.sync([fip.id for fip in fips], **options)

    def hosts(self, fip_id="f1"):
        """{host: role} of the keys there are."""
        found = {}
        for key, (text, _, _) in self.etcd.items.items():
            whose = NAMES.binding_of(key) if key.startswith(NAMES.hosts) else None
            if whose and whose[1] == fip_id:
                found[whose[0]] = (keys.decoded(text) or {}).get("role", "")
        return found

    def index(self, fip_id="f1"):
        found = self.etcd.items.get(NAMES.index_of(fip_id))
        return json.loads(found[0]) if found else None

    def compare(self, repair=True, stopped=lambda: False):
        return Comparison(self.etcd, NAMES, self.database, self.writer, stopped, 0).run(repair)


@pytest.fixture
def bench():
    return Bench()


def test_a_floating_ip_is_one_transaction_with_its_index(bench):
    placements, written = bench.sync(on("compute1"))
    assert written == {"f1"} and placements["f1"].serving == "compute1"
    assert [set(each) for each in bench.etcd.transactions] == [
        {"/fipd/v1/host/compute1/fip/f1", "/fipd/v1/index/fip/f1"}]


def test_what_is_so_already_is_not_written(bench):
    bench.sync(on("compute1"))
    _, written = bench.sync(on("compute1"))
    assert not written and len(bench.etcd.transactions) == 1


def test_a_move_is_one_transaction_and_the_old_host_leaves_on_a_lease(bench):
    bench.sync(on("compute1"))
    bench.sync(on("compute2"))
    assert len(bench.etcd.transactions) == 2
    assert bench.hosts() == {"compute1": "leaving", "compute2": ""}
    assert bench.etcd.items["/fipd/v1/host/compute1/fip/f1"][2] and bench.etcd.leases == [20]
    assert bench.etcd.items["/fipd/v1/host/compute2/fip/f1"][2] == 0
    assert bench.index()["hosts"] == {"compute1": "leaving", "compute2": ""}


def test_without_handover_the_old_host_stops_in_the_same_revision():
    bench = Bench(handover=0)
    bench.sync(on("compute1"))
    bench.sync(on("compute2"))
    assert bench.hosts() == {"compute2": ""} and len(bench.etcd.transactions) == 2


def test_a_host_that_leaves_is_released_on_request(bench):
    bench.sync(on("compute1"))
    bench.sync(on("compute2"))
    bench.sync(on("compute2"), released={"f1"})
    assert bench.hosts() == {"compute2": ""} and bench.index()["hosts"] == {"compute2": ""}


def test_coming_back_takes_the_key_off_the_lease(bench):
    bench.sync(on("compute1"))
    bench.sync(on("compute2"))
    bench.sync(on("compute1"))
    assert bench.hosts() == {"compute1": "", "compute2": "leaving"}
    assert bench.etcd.items["/fipd/v1/host/compute1/fip/f1"][2] == 0


def test_a_serving_key_that_somebody_hung_on_a_lease_is_put_without_one(bench):
    bench.sync(on("compute1"))
    value, revision, _ = bench.etcd.items["/fipd/v1/host/compute1/fip/f1"]
    bench.etcd.items["/fipd/v1/host/compute1/fip/f1"] = (value, revision, 7)
    bench.sync(on("compute1"))
    assert bench.etcd.items["/fipd/v1/host/compute1/fip/f1"][2] == 0


def test_a_disassociated_floating_ip_leaves_nothing_behind_not_even_a_leaver(bench):
    bench.sync(on("compute1"))
    bench.sync(on("compute2"))
    bench.sync(FloatingIp("f1", "172.16.1.3"))
    assert bench.etcd.items == {}


def test_several_moves_share_a_lease(bench):
    fips = [on("compute1", f"f{n}") for n in range(50)]
    bench.sync(*fips)
    bench.sync(*[on("compute2", fip.id) for fip in fips])
    assert len(bench.etcd.leases) == 1


def test_a_leaver_serves_for_handover_seconds_at_least_and_for_twice_as_many_at_most(
        bench, monkeypatch):
    # As the option's help and docs/openstack.md promise.
    clock = types.SimpleNamespace(monotonic=lambda: clock.now, now=1000.0)
    monkeypatch.setattr(writer, "time", clock)
    ends = {}
    for n in range(60):
        clock.now += 1.7
        bench.sync(on("compute1", f"f{n}"))
        bench.sync(on("compute2", f"f{n}"))
        lease = bench.etcd.items[f"/fipd/v1/host/compute1/fip/f{n}"][2]
        ends.setdefault(lease, clock.now + bench.etcd.leases[-1])
        assert 10 <= ends[lease] - clock.now <= 20
    assert len(ends) < 15


def test_a_burst_is_few_transactions_of_at_most_120_operations(bench):
    bench.sync(*[on("compute1", f"f{n:03}") for n in range(150)])
    assert [len(each) for each in bench.etcd.transactions] == [120, 120, 60]


def test_a_writer_that_was_overtaken_looks_again(bench):
    other = Writer(bench.etcd, NAMES, bench.database)

    def overtake():
        bench.database.fips["f1"] = on("compute2")
        other.sync(["f1"])
    bench.etcd.before_txn.append(overtake)
    bench.sync(on("compute1"))
    assert bench.hosts() == {"compute2": ""}


def test_a_change_that_found_nothing_to_write_is_seen_by_the_one_who_writes_late(bench):
    # The index key does not exist before nor after the other's look: no revision tells.
    other = Writer(bench.etcd, NAMES, bench.database)

    def disassociated():
        bench.database.fips["f1"] = FloatingIp("f1", "172.16.1.3")
        assert other.sync(["f1"])[1] == set()
    bench.etcd.before_txn.append(disassociated)
    bench.sync(on("compute1"))
    assert bench.etcd.items == {}


def test_one_refused_in_a_batch_does_not_hold_up_the_others(bench):
    other = Writer(bench.etcd, NAMES, bench.database)
    bench.etcd.before_txn.append(lambda: other.sync(["f1"]))
    bench.sync(on("compute1"), on("compute1", "f2"))
    assert bench.hosts("f1") == bench.hosts("f2") == {"compute1": ""}


def test_the_comparison_finds_every_kind_of_damage_and_repairs_it(bench):
    bench.sync(*[on("compute1", f"f{n}") for n in range(6)])
    good = {key: value for key, (value, _, _) in bench.etcd.items.items()}
    items = bench.etcd.items
    del items["/fipd/v1/host/compute1/fip/f0"]
    items["/fipd/v1/host/compute1/fip/f1"] = ("{}", 999, 0)
    del items["/fipd/v1/index/fip/f2"]
    items["/fipd/v1/host/compute9/fip/f3"] = items["/fipd/v1/host/compute1/fip/f3"]
    items["/fipd/v1/index/fip/f4"] = ("garbage", 999, 0)
    items["/fipd/v1/host/compute1/fip/nobody"] = ("{", 999, 0)
    items["/fipd/v1/index/fip/nobody2"] = ('{"hosts": {"compute7": ""}}', 999, 0)
    looked = bench.compare(repair=False)
    assert set(looked.differing) == {"f0", "f1", "f2", "f3", "f4", "nobody", "nobody2"}
    assert looked.repaired == 0 and "/fipd/v1/host/compute1/fip/f0" not in items
    result = bench.compare()
    assert set(result.differing) == set(looked.differing) and result.floating_ips == 6
    assert result.complete
    assert {key: value for key, (value, _, _) in items.items()} == good
    assert bench.compare().differing == []


def test_a_comparison_whose_repair_was_cut_short_has_no_result(bench, monkeypatch):
    monkeypatch.setattr(compare, "AT_ONCE", 1)
    bench.database.fips.update({"f1": on("compute1"), "f2": on("compute1", "f2")})
    assert bench.compare(stopped=lambda: len(bench.etcd.transactions) == 1) is None
    assert len(bench.etcd.transactions) == 1


def test_a_comparison_of_which_etcd_refused_a_part_is_not_complete(bench, monkeypatch):
    monkeypatch.setattr(compare, "AT_ONCE", 1)
    bench.database.fips.update({"f1": on("compute1"), "f2": on("compute1", "f2")})

    def refuse():
        raise etcd_module.Refused("no space")
    bench.etcd.before_txn.append(refuse)
    result = bench.compare()
    assert len(result.differing) == 1 and not result.complete
    assert bench.compare().complete


def test_a_leaver_whose_lease_ended_is_no_difference_but_tidied_up(bench):
    bench.sync(on("compute1"))
    bench.sync(on("compute2"))
    assert bench.compare().differing == []
    bench.etcd.expire(7001)
    assert bench.compare().differing == [] and bench.index()["hosts"] == {"compute2": ""}


def test_a_leaver_without_a_lease_is_ended_by_the_comparison(bench):
    bench.sync(on("compute1"))
    bench.sync(on("compute2"))
    value, revision, _ = bench.etcd.items["/fipd/v1/host/compute1/fip/f1"]
    bench.etcd.items["/fipd/v1/host/compute1/fip/f1"] = (value, revision, 0)
    assert bench.compare().differing == ["f1"] and bench.hosts() == {"compute2": ""}


class Strange:
    """A record that makes whoever looks at it raise."""
    id, wanted = "strange", True

    @property
    def router_up(self):
        raise TypeError("unhashable type: 'list'")


def test_a_record_that_nobody_understands_holds_up_no_others_and_keeps_its_keys(bench, caplog):
    bench.sync(on("compute1", "strange"))
    placements, written = bench.sync(Strange(), on("compute1"))
    assert written == {"f1"} and set(placements) == {"f1"}
    assert bench.hosts() == bench.hosts("strange") == {"compute1": ""}
    assert "unhashable type" in caplog.text and "floating IP strange" in caplog.text


@pytest.mark.parametrize("repair", [False, True])
def test_the_comparison_goes_on_beside_a_record_that_nobody_understands(bench, repair):
    bench.sync(on("compute1", "strange"))
    bench.database.fips.update({"strange": Strange(), "f1": on("compute1")})
    result = bench.compare(repair)
    assert result.differing == ["f1"] and not result.complete
    assert bench.hosts("strange") == {"compute1": ""}


@pytest.mark.parametrize("seed", range(20))
def test_any_sequence_of_changes_and_expiries_ends_in_what_the_database_says(bench, seed):
    choice = random.Random(seed)
    for _ in range(60):
        fip_id = f"f{choice.randrange(4)}"
        what = choice.randrange(5)
        if what == 0:
            bench.sync(FloatingIp(fip_id, "172.16.1.3"))
        elif what == 1 and bench.etcd.leases:
            bench.etcd.expire(7000 + choice.randrange(len(bench.etcd.leases)) + 1)
        elif what == 2:
            bench.database.fips.pop(fip_id, None)
            bench.writer.sync([fip_id])
        else:
            bench.sync(on(f"compute{choice.randrange(3)}", fip_id))
        serving = [host for host, role in bench.hosts(fip_id).items() if role == ""]
        fip = bench.database.fips.get(fip_id)
        wanted = [fip.port.bindings[0].host] if fip and fip.port else []
        assert serving == wanted
        assert wanted or bench.hosts(fip_id) == {}
    bench.compare()
    assert bench.compare(repair=False).differing == []
