"""etcd and neutron-server killed, stopped and damaged: the API never waits, etcd ends equal."""
import json
import os
import signal
import statistics

from namespaces import Lab, run
from neutron_server import Neutron
import pytest
from stack import PREFIX, Stack
from waiting import wait_for

pytestmark = pytest.mark.slow

HANG = 20  # Far above what an API call takes, far below what a hung etcd would cost it.


@pytest.fixture(scope="module")
def harmed():
    """A stack that each test leaves working again."""
    with Lab() as lab:
        yield Stack(lab, settings={"networking_fipd": {"handover": 2}}).with_cloud()


def ready(stack, timeout=30):
    """The revision of the last PUT of `ready`."""
    def found():
        return stack.etcd.records(PREFIX + "ready").get(PREFIX + "ready")
    return wait_for(found, timeout, "the ready key", 0.1)["mod_revision"]


def compared(stack, timeout=30):
    """Waits for a comparison that began after now."""
    before = stack.etcd.revision()
    for _ in range(2):
        since = before
        before = wait_for(lambda: stack.etcd.records(PREFIX + "ready") and (
            ready(stack) if ready(stack) > since else None), timeout, "a comparison", 0.1)


@pytest.mark.parametrize("how", ["killed", "stopped"])
def test_api_calls_do_not_wait_for_etcd_and_everything_is_written_afterwards(harmed, how):
    stack = harmed
    port = stack.cloud.port("compute1")
    kept = stack.cloud.floating_ip(port)
    stack.serves(kept, port, "compute1", 30)
    before = [_seconds(stack) for _ in range(5)]
    stack.etcd.kill() if how == "killed" else stack.etcd.sleep()
    after = [_seconds(stack) for _ in range(5)]
    stack.neutron.update("floatingip", kept["id"], port_id=None)
    new = stack.cloud.port("compute2")
    moved = stack.cloud.floating_ip(new)
    stack.etcd.start() if how == "killed" else stack.etcd.wake()
    assert max(after) < HANG and statistics.median(after) < 5 * statistics.median(before) + 0.5
    stack.is_nowhere(kept, timeout=30)
    stack.serves(moved, new, "compute2", 30)
    stack.settled()


def _seconds(stack):
    stack.cloud.floating_ip(stack.cloud.port("compute1"))
    return stack.neutron.seconds


def test_a_wiped_etcd_is_filled_again_and_only_then_ready(harmed):
    stack = harmed
    port = stack.cloud.port("compute1")
    fips = [stack.cloud.floating_ip(port), stack.cloud.floating_ip(stack.cloud.port("compute2"))]
    stack.serves(fips[0], port, "compute1", 30)
    ready(stack)
    stack.etcd.wipe()
    wait_for(lambda: stack.etcd.values(PREFIX + "ready"), 30, "ready again", 0.05)
    assert all(stack.hosts(fip) for fip in fips)
    events = stack.etcd.history(PREFIX, 1)
    first_ready = min(revision for revision, key, _ in events if key.endswith("/ready"))
    assert all(revision < first_ready for revision, key, _ in events if "/fip/" in key)


def test_what_a_killed_server_did_not_write_is_repaired_by_the_next(harmed):
    stack = harmed
    port = stack.cloud.port("compute1")
    gone = stack.cloud.floating_ip(port)
    stack.serves(gone, port, "compute1")
    # Between commit and write: etcd sleeps while Neutron commits, and Neutron dies.
    stack.etcd.sleep()
    stack.neutron.update("floatingip", gone["id"], port_id=None)
    lost = stack.cloud.floating_ip(stack.cloud.port("compute2"))
    stack.neutron.kill()
    stack.etcd.wake()
    assert list(stack.hosts(gone)) == ["compute1"] and not stack.hosts(lost)
    stack.neutron.start()
    wait_for(lambda: list(stack.hosts(lost)) == ["compute2"], 30, "the lost one is written")
    stack.is_nowhere(gone, timeout=30)


def test_the_comparison_repairs_what_others_did_to_the_keys(harmed):
    stack = harmed
    ports = [stack.cloud.port("compute1") for _ in range(4)]
    fips = [stack.cloud.floating_ip(port) for port in ports]
    for fip, port in zip(fips, ports):
        stack.serves(fip, port, "compute1")
    binding = [f"{PREFIX}host/compute1/fip/{fip['id']}" for fip in fips]
    stray = f"{PREFIX}host/compute9/fip/{fips[2]['id']}"
    nobody = "00000000-1111-2222-3333-444444444444"
    stack.etcd.delete(binding[0])
    stack.etcd.put(binding[1], {"floating": "192.0.2.1", "fixed": "192.0.2.2"})
    stack.etcd.put(stray, {"floating": "172.16.1.200", "fixed": "10.65.0.1"})
    stack.etcd.delete(f"{PREFIX}index/fip/{fips[3]['id']}")
    stack.etcd.put(f"{PREFIX}host/compute1/fip/{nobody}", "{not JSON")
    for fip, port in zip(fips, ports):
        stack.serves(fip, port, "compute1")
    wait_for(lambda: stack.index(fips[3]), 15, "the index key")
    wait_for(lambda: not stack.etcd.values(f"{PREFIX}host/compute1/fip/{nobody}"), 15, "no stray")


def test_the_tool_tells_differences_and_repairs_them_on_request(fresh):
    # No comparison but the first comes between.
    stack = fresh(settings={"networking_fipd": {"compare_interval": 3600}}).with_cloud()
    port = stack.cloud.port("compute1")
    fip = stack.cloud.floating_ip(port)
    stack.serves(fip, port, "compute1")
    ready(stack)
    assert stack.neutron.sync()[0] == 0
    stack.etcd.delete(f"{PREFIX}host/compute1/fip/{fip['id']}")
    code, text = stack.neutron.sync()
    assert code == 1 and f"{fip['id']}: differs" in text
    assert not stack.hosts(fip)
    code, text = stack.neutron.sync("--repair")
    assert code == 0 and f"{fip['id']}: repaired" in text
    stack.serves(fip, port, "compute1")
    stack.etcd.kill()
    code, text = stack.neutron.sync()
    assert code == 2 and "etcd:" in text


@pytest.mark.full
def test_another_server_leads_when_the_leader_is_killed(fresh):
    stack = fresh().with_cloud()
    second = Neutron(stack.lab, stack.etcd.endpoints, database=stack.neutron.database,
                     name="second")

    def leads():
        text = stack.etcd.get(PREFIX + "leader")
        return json.loads(text)["by"] if text else None
    first = wait_for(leads, 15, "a leader")
    pid = int(first.split(":")[1])
    assert pid in stack.neutron.children() or pid in second.children()
    # Its main process starts another in its place, which has to wait for its turn as well.
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: leads() not in (None, first), 30, "another leader")
    compared(stack)
    second.kill()


@pytest.mark.full
def test_a_restored_older_snapshot_is_brought_up_to_date(fresh):
    stack = fresh().with_cloud()
    old, new = stack.cloud.port("compute1"), stack.cloud.port("compute2")
    fip = stack.cloud.floating_ip(old)
    stack.serves(fip, old, "compute1")
    ready(stack)
    saved = stack.lab.file("snapshot.db")
    run("etcdctl", "--endpoints", stack.etcd.endpoints[0], "snapshot", "save", saved,
        env={"ETCDCTL_API": "3", "PATH": "/usr/bin:/bin"})
    stack.neutron.update("floatingip", fip["id"], port_id=new["id"])
    late = stack.cloud.floating_ip(stack.cloud.port("compute3"))
    wait_for(lambda: "compute2" in stack.hosts(fip) and stack.hosts(late), 15, "written")
    stack.etcd.restore(saved)
    stack.serves(fip, new, "compute2", 60)
    wait_for(lambda: list(stack.hosts(late)) == ["compute3"], 30, "the late one")
