"""The source "etcd" with a real etcd in the compute host's namespace: what is written is served, and
whatever etcd does, nothing is lost."""
import base64
import json
import time

import pytest

import arrival
import kernel
from etcd_cloud import HOST, SAVED, FipdCloud, binding
from waiting import stays, wait_for

Cloud = FipdCloud  # of the fixtures


def test_a_key_becomes_a_route_and_a_translation_and_goes_with_it(running):
    running.put(3)
    running.topology.wait_routed("172.16.1.3", 15)
    row = running.fipd.shown("172.16.1.3")
    assert (row["source"], row["id"]) == ("etcd:id3", "id3")
    running.delete(3)
    running.topology.wait_unrouted("172.16.1.3", 15)
    running.wait_numbers()


def test_other_hosts_keys_are_not_ours(running):
    running.etcd.put("/fipd/v1/host/compute10/fip/a", binding(9))
    running.put(3)
    running.wait_numbers(3)


def test_one_transaction_of_etcd_is_one_of_nftables(running):
    running.put(3)
    running.wait_numbers(3)
    record = kernel.Recorder(running.lab, running.host, "nft")
    steps = [{"request_put": {"key": _b64(f"{HOST}id{n}"), "value": _b64(json.dumps(binding(n)))}}
             for n in range(10, 40)]
    running.etcd.ask("/kv/txn", {"success": steps})
    running.wait_numbers(3, *range(10, 40))
    record.stop()
    generations = [line for line in record._process.text().splitlines()
                   if line.startswith("# new generation") and "(nft)" not in line]
    assert len(generations) == 1, generations


def test_a_bad_value_is_named_and_holds_up_no_other(running):
    running.put(3)
    running.wait_numbers(3)
    running.etcd.put(f"{HOST}id3", "{")
    running.put(4)
    running.wait_numbers(3, 4)
    running.wait_source("the bad one is named", lambda each: "id3" in str(each["problems"]))
    running.put(3)
    running.wait_well()


def test_bad_values_are_listed_one_by_one_and_a_good_one_elsewhere_is_served(running):
    assert running.fipd.ctl("add", "172.16.1.7", "10.65.0.13").code == 0
    running.put(3)
    running.wait_numbers(3, 7)
    running.put(3, role="witness")
    running.etcd.put(f"{HOST}id7", {"floating": "172.16.1.7"})
    running.etcd.put(f"{HOST}idx", "{")

    def rows():
        listing = running.fipd.ctl("ls", "--json").json["floating_ips"]
        return {(row.get("floating"), row["source"]): row for row in listing}

    bad = {("172.16.1.3", "etcd:id3"), ("172.16.1.7", "etcd:id7"), (None, "etcd:idx")}
    wait_for(lambda: bad <= set(rows()), 15, lambda: f"all three are listed: {rows()}", 0.2)
    assert rows()["172.16.1.7", "api"]["state"] in ("routed", "learned", "announced")
    refused = rows()["172.16.1.7", "etcd:id7"]
    assert refused["state"] == "refused" and "'fixed' is missing" in refused["reason"]
    assert "not JSON" in rows()[None, "etcd:idx"]["reason"]
    table = [line.split(maxsplit=6) for line in running.fipd.ctl("ls").out.splitlines()]
    assert [line[3] for line in table if line[0] == "172.16.1.3"][1:] == ["refused"]
    assert any(line[0] == "(idx)" and line[5] == "etcd" for line in table)
    assert any("witness" in row["reason"] for row in running.fipd.shown("172.16.1.3")["conflicts"])
    running.wait_numbers(3, 7)
    # The controller hears of it where nothing of the key is in force, and of what is in force else.
    status = "/fipd/v1/status/compute1/fip/"
    wait_for(lambda: running.etcd.objects(status).get(f"{status}id7", {}).get("state") == "refused"
             and running.etcd.objects(status).get(f"{status}id3", {}).get("state") == "announced", 20,
             lambda: f"both are told: {running.etcd.objects(status)}", 0.2)
    running.put(7)
    running.etcd.delete(f"{HOST}idx")
    running.put(3)
    wait_for(lambda: not [row for row in rows().values() if row["state"] == "refused"], 15,
             lambda: f"none is left: {rows()}", 0.2)
    assert rows()["172.16.1.7", "etcd:id7"]["state"] == "conflict"
    assert running.fipd.ctl("rm", "172.16.1.7").code == 0
    running.wait_numbers(3, 7)


def test_a_value_that_is_written_again_writes_nothing_to_the_kernel(running):
    running.put(3)
    running.topology.wait_routed("172.16.1.3", 15)
    watch = kernel.WriteWatch(running.lab, running.host)
    for _ in range(5):
        running.put(3)
    running.put(4)
    running.wait_numbers(3, 4)
    assert not [line for line in watch.stop() if "172.16.1.3" in line]


def test_a_restart_without_etcd_serves_what_was_known(cloud):
    cloud.start()
    cloud.put(3), cloud.put(4)
    cloud.wait_numbers(3, 4)
    time.sleep(SAVED)
    cloud.fipd.process.kill()
    cloud.etcd.kill()
    cloud.host.nft("delete table inet fipd\n")
    cloud.fipd.start()
    cloud.wait_numbers(3, 4)
    cloud.topology.wait_routed("172.16.1.3", 15)
    assert any("connect" in each for each in cloud.source()["problems"])
    # It comes back with a change that nobody saw.
    cloud.etcd.start()
    cloud.delete(4)
    cloud.wait_numbers(3)
    cloud.wait_well()


@pytest.mark.parametrize("fault", ["killed", "stopped", "asleep"])
def test_an_etcd_that_is_away_removes_nothing_and_is_followed_again(cloud, fault):
    cloud.start()
    cloud.put(3)
    cloud.wait_numbers(3)
    {"killed": cloud.etcd.kill, "stopped": cloud.etcd.stop, "asleep": cloud.etcd.sleep}[fault]()
    cloud.wait_source("it is told", lambda each: each["problems"])
    assert cloud.numbers() == {3}
    cloud.etcd.wake() if fault == "asleep" else cloud.etcd.start()
    cloud.put(4)
    cloud.wait_numbers(3, 4, timeout=30)
    cloud.wait_well()


def test_a_watch_that_was_compacted_away_is_begun_anew(cloud):
    cloud.start()
    cloud.put(3)
    cloud.wait_numbers(3)
    cloud.etcd.sleep()
    cloud.wait_source("it is told", lambda each: each["problems"])
    cloud.etcd.wake()
    cloud.put(4)
    cloud.delete(3)
    cloud.etcd.compact()
    cloud.wait_numbers(4, timeout=30)


def test_a_wiped_etcd_removes_nothing_until_its_controller_says_that_it_is_complete(cloud):
    cloud.start()
    cloud.put(3), cloud.put(4)
    cloud.wait_numbers(3, 4)
    cloud.etcd.wipe()
    cloud.put(4)
    cloud.wait_source("it is noticed", lambda each: each["held"] == 1, 30)
    assert cloud.numbers() == {3, 4}
    cloud.say_ready()
    cloud.wait_numbers(4, timeout=30)


def test_an_etcd_restored_to_an_older_snapshot_removes_nothing_until_its_controller_says_so(cloud):
    cloud.start()
    cloud.put(3), cloud.put(5)
    snapshot = cloud.lab.file("snapshot")
    cloud.etcd.snapshot(snapshot)
    cloud.put(4)
    cloud.delete(5)
    cloud.wait_numbers(3, 4)
    cloud.etcd.restore(snapshot)
    # What came back is served; what is missing is kept: the word of being complete is as old.
    cloud.wait_numbers(3, 4, 5, timeout=30)
    cloud.wait_source("it is held", lambda each: each["held"] == 1)
    cloud.say_ready()
    cloud.wait_numbers(3, 5, timeout=30)
    cloud.wait_well()


def test_the_controller_hears_again_of_what_an_older_snapshot_does_not_have(cloud):
    prefix = "/fipd/v1/status/compute1/"
    cloud.start()
    cloud.put(3)

    def told():
        return {key.rsplit("/", 1)[1]: each["lease"] for key, each in cloud.etcd.records(prefix).items()}

    wait_for(lambda: set(told()) == {"agent", "id3"}, 20, lambda: f"one is told: {told()}", 0.2)
    lease = told()["id3"]
    snapshot = cloud.lab.file("snapshot")
    cloud.etcd.snapshot(snapshot)
    cloud.put(4)
    wait_for(lambda: "id4" in told(), 20, lambda: f"the other is told: {told()}", 0.2)
    time.sleep(1)  # until their states are final and written
    cloud.etcd.restore(snapshot)
    # The lease has outlived what was written since. Sooner than fipd would look after its lease, which is a third of 60 s.
    wait_for(lambda: set(told()) == {"agent", "id3", "id4"} and lease not in told().values(), 15,
             lambda: f"all is told again: {told()}, not {lease}", 0.2)


def test_a_mass_removal_that_nobody_saw_is_held_until_it_is_accepted(cloud):
    cloud.start()
    numbers = range(10, 50)
    for number in numbers:
        cloud.put(number)
    cloud.wait_numbers(*numbers)
    time.sleep(SAVED)
    cloud.fipd.process.kill()
    for number in range(10, 40):
        cloud.delete(number)
    cloud.fipd.start()
    cloud.wait_source("30 are held", lambda each: each["held"] == 30)
    assert len(cloud.served()) == 40
    answer = cloud.fipd.ctl("accept")
    assert answer.code == 0, answer
    cloud.wait_numbers(*range(40, 50))


def test_without_the_controllers_word_an_earlier_runs_addresses_stay(cloud):
    cloud.start(ready=False)
    cloud.put(3)
    cloud.wait_numbers(3)
    assert not cloud.source()["complete"]
    cloud.say_ready()
    cloud.wait_source("it is complete", lambda each: each["complete"])


def test_a_live_migrations_target_is_prepared_takes_over_and_at_last_leaves(running):
    host = running.host
    running.put(3, role="target", peer="compute2")
    running.wait_numbers(3)
    assert "172.16.1.3" not in kernel.routes(host)
    assert running.fipd.shown("172.16.1.3")["state"] == "translated"

    def has_metric(*wanted):
        return kernel.routes(host).get("172.16.1.3", (None, 0))[1] in wanted

    running.put(3)
    wait_for(lambda: has_metric(512), 4, "it takes over", 0.02)
    wait_for(lambda: has_metric(1024), 30, "it settles", 0.2)
    running.put(3, role="leaving", peer="compute2")
    wait_for(lambda: has_metric(4096), 10, "it is a last resort")
    assert "compute2" in running.fipd.shown("172.16.1.3")["reason"]
    running.delete(3)
    running.wait_numbers()


def test_a_target_takes_over_when_its_instance_is_heard_once_and_withdraws_when_it_is_given_up(running):
    host, instance, neighbour = running.host, running.topology.instance, running.topology.neighbour
    running.put(3, interface=instance.tap, role="target", peer="compute2")
    running.put(4, role="target", peer="compute2")
    running.wait_numbers(3, 4)
    assert "prepared" in running.fipd.shown("172.16.1.3")["reason"]
    # Another instance's address on this tap, and this one's on another's tap.
    arrival.gratuitous_arp(instance.namespace, neighbour.fixed)
    arrival.gratuitous_arp(neighbour.namespace, instance.fixed)
    arrival.rarp(neighbour.namespace)
    stays(lambda: not kernel.routes(host), 0.5, "nobody of note was heard")
    arrival.gratuitous_arp(instance.namespace, instance.fixed)
    running.topology.wait_routed("172.16.1.3", 15)
    assert [kernel.routes(host)[each][1] for each in kernel.routes(host)] == [512], \
        "the one whose binding names the tap"
    assert "taken over from compute2" in running.fipd.shown("172.16.1.3")["reason"]
    watch = kernel.WriteWatch(running.topology.lab, host)
    for _ in range(20):
        arrival.gratuitous_arp(instance.namespace, instance.fixed)
    time.sleep(0.2)
    running.put(5)
    running.topology.wait_routed("172.16.1.5", 15)
    assert not [line for line in watch.stop() if "172.16.1.3" in line], "it has been heard"
    # The migration fails after all.
    running.etcd.delete(f"{HOST}id3")
    running.topology.wait_unrouted("172.16.1.3", 15)
    running.wait_numbers(4, 5)


def test_the_controller_hears_how_each_floating_ip_stands(running):
    running.put(3)
    running.put(5, interface="tap-nowhere")
    running.topology.wait_routed("172.16.1.3", 15)
    prefix = "/fipd/v1/status/compute1/"

    def told(number, state):
        return running.etcd.objects(prefix).get(f"{prefix}fip/id{number}", {}).get("state") == state

    wait_for(lambda: told(3, "announced") and told(5, "waiting"), 20,
             lambda: f"both are told: {running.etcd.objects(prefix)}", 0.2)
    entries = running.etcd.objects(prefix)
    assert entries[f"{prefix}fip/id3"] == {"floating": "172.16.1.3", "state": "announced",
                                           "reason": "", "announced": 1, "sessions": 1}
    assert "tap-nowhere" in entries[f"{prefix}fip/id5"]["reason"]
    wait_for(lambda: running.etcd.objects(prefix)[f"{prefix}agent"]["floating_ips"].get("waiting"), 20,
             "the agent's key counts it", 0.2)
    agent = running.etcd.objects(prefix)[f"{prefix}agent"]
    assert (agent["host"], agent["bird"], agent["sessions"]) == ("compute1", True, 1)
    assert all(item["lease"] for item in running.etcd.records(prefix).values())
    # An id that moves to another address, and one that goes.
    running.etcd.put(f"{HOST}id3", {**binding(6), "id": "id3"})
    running.delete(5)
    wait_for(lambda: running.etcd.objects(prefix).get(f"{prefix}fip/id3", {}).get("floating")
             == "172.16.1.6" and f"{prefix}fip/id5" not in running.etcd.objects(prefix), 20,
             lambda: f"both changes are told: {running.etcd.objects(prefix)}", 0.2)
    # A lease that was revoked takes all keys along; they are written again under another.
    lease = running.etcd.records(prefix)[f"{prefix}agent"]["lease"]
    running.etcd.revoke(lease)
    wait_for(lambda: len(running.etcd.records(prefix)) == 2, 40, "all is written again", 0.5)
    assert running.etcd.records(prefix)[f"{prefix}agent"]["lease"] != lease


@pytest.mark.slow
def test_keys_that_are_more_than_one_answer_may_hold_are_read_in_smaller_pages(cloud):
    numbers = range(10, 230)
    for number in numbers:  # 77 MB of an answer, where fipd takes 64 MiB
        cloud.put(number, note="x" * 260_000)
    cloud.fipd.settings["etcd"]["timeout"] = "10s"
    cloud.fipd.write_config()
    cloud.start()
    cloud.wait_numbers(*numbers, timeout=60)
    cloud.wait_well()


def test_the_states_of_a_thousand_floating_ips_are_told_in_few_transactions(running):
    count, most = 1000, 128  # operations of one transaction
    prefix = "/fipd/v1/status/compute1/fip/"
    since = running.etcd.revision() + 1

    def address(number):
        return f"172.17.{number // 250}.{number % 250}"

    for start in range(0, count, most):
        running.etcd.ask("/kv/txn", {"success": [
            {"request_put": {"key": _b64(f"{HOST}many{n}"), "value": _b64(json.dumps(
                {**binding(0), "floating": address(n), "id": f"many{n}"}))}}
            for n in range(start, min(start + most, count))]})

    def announced():
        return [each["floating"] for each in running.etcd.objects(prefix).values()
                if each["state"] == "announced"]

    wait_for(lambda: len(announced()) == count, 60, lambda: f"all are told, not {len(announced())}", 0.5)
    assert sorted(announced()) == sorted(map(address, range(count)))
    transactions = {revision for revision, _, _ in running.etcd.history(prefix, since)}
    # Each passes some states on its way; what is over within a second is not told.
    assert len(transactions) <= 5 * (count // most + 1), len(transactions)


def _b64(text):
    return base64.b64encode(text.encode()).decode()
