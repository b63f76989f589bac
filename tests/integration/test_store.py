"""What is acknowledged is durable, and what cannot be made durable is not acknowledged."""
import os

import pytest

import kernel
import talk
from namespaces import run
from waiting import wait_for

A, B = "172.16.1.3", "172.16.1.4"


@pytest.fixture
def small(own_topology):
    """fipd with its store on a file system of 512 KiB."""
    fipd = own_topology.fipd
    fipd.stop()
    folder = f"{fipd.folder}/state"
    os.makedirs(folder)
    run("mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", folder)
    own_topology.lab.at_close.append(lambda: run("umount", "-l", folder, check=False))
    fipd.settings["store"]["path"] = f"{folder}/fipd.db"
    fipd.write_config()
    fipd.start()
    fipd.announce(A, own_topology.instance.fixed)
    own_topology.state_folder = folder
    return own_topology


def fill(folder):
    ballast = os.open(f"{folder}/ballast", os.O_WRONLY | os.O_CREAT)
    try:
        while True:
            os.write(ballast, b"x" * 4096)
    except OSError:
        os.close(ballast)


def expect_refused_but_serving(topology):
    fipd = topology.fipd
    # A store may hold some more in pages that it has already: but not for ever.
    acknowledged = []
    for number in range(20, 120):
        answer = fipd.ctl("add", f"172.16.1.{number}", topology.neighbour.fixed)
        if answer.code != 0:
            break
        acknowledged.append(f"172.16.1.{number}")
    assert answer.code not in (0, 2, 7) and len(answer.err) > 10, answer
    assert answer.text and fipd.process.alive()
    refused = f"172.16.1.{number}"
    assert fipd.state(refused) is None
    assert refused not in kernel.routes(topology.host.namespace)
    assert refused not in kernel.translations(topology.host.namespace)
    assert talk.tcp(topology.client, A)["server"] == "instance13"
    return acknowledged


def expect_all(topology, *floatings):
    wait_for(lambda: set(kernel.routes(topology.host.namespace)) == set(floatings), 5,
             lambda: f"{floatings} are routed: {kernel.routes(topology.host.namespace)}")
    assert {row["floating"] for row in topology.fipd.rows()} == set(floatings)


def test_with_a_full_disk_an_add_is_refused_and_nothing_acknowledged_is_lost(small):
    fill(small.state_folder)
    acknowledged = expect_refused_but_serving(small)
    small.fipd.restart(kill=True)
    expect_all(small, A, *acknowledged)
    os.unlink(f"{small.state_folder}/ballast")
    small.fipd.add(B, small.neighbour.fixed)
    small.fipd.restart(kill=True)
    expect_all(small, A, B, *acknowledged)


def test_with_a_read_only_store_an_add_is_refused_and_the_old_ones_are_served(small):
    small.fipd.stop()
    run("mount", "-o", "remount,ro", small.state_folder)
    small.fipd.start()
    assert expect_refused_but_serving(small) == []
    expect_all(small, A)
    run("mount", "-o", "remount,rw", small.state_folder)


@pytest.mark.slow
def test_when_a_read_only_store_is_writable_again_an_add_works_without_a_restart(small):
    fipd = small.fipd
    fipd.kill()  # what it knows may be in the write-ahead log alone
    run("mount", "-o", "remount,ro", small.state_folder)
    fipd.start()
    expect_all(small, A)
    assert fipd.ctl("add", B, small.neighbour.fixed).code != 0
    status = fipd.ctl("status")
    assert status.code == 9 and "read-only" in status.text + status.err, status
    run("mount", "-o", "remount,rw", small.state_folder)
    wait_for(lambda: fipd.ctl("status").code == 0, 10, lambda: f"healthy: {fipd.ctl('status')}")
    fipd.add(B, small.neighbour.fixed)
    expect_all(small, A, B)
    fipd.restart(kill=True)
    expect_all(small, A, B)


def test_a_read_only_store_neither_withdraws_nor_writes_at_a_restart(small):
    small.fipd.stop()
    run("mount", "-o", "remount,ro", small.state_folder)
    watch = kernel.WriteWatch(small.lab, small.host.namespace)
    small.fipd.start()
    small.fipd.quiet()
    assert watch.stop() == []
    assert set(os.listdir(small.state_folder)) == {"fipd.db"}
    assert not [name for name in os.listdir(small.fipd.folder) if name.startswith("store-")]
    run("mount", "-o", "remount,rw", small.state_folder)


def test_an_acknowledged_add_survives_kill_9_at_once(own_topology):
    fipd = own_topology.fipd
    for number in range(10):
        fipd.add(f"172.16.1.{number + 10}", own_topology.instance.fixed)
        fipd.kill()
        fipd.start()
    expect_all(own_topology, *[f"172.16.1.{number + 10}" for number in range(10)])


def test_an_acknowledged_remove_survives_kill_9_at_once(own_topology):
    fipd = own_topology.fipd
    fipd.add(A, own_topology.instance.fixed)
    fipd.add(B, own_topology.neighbour.fixed)
    fipd.remove(A)
    fipd.kill()
    fipd.start()
    wait_for(lambda: set(kernel.routes(own_topology.host.namespace)) == {B}, 5, "only B is routed")
    wait_for(lambda: set(kernel.translations(own_topology.host.namespace)) == {B}, 10,
             "only B is translated")


def test_a_store_that_is_no_database_stops_the_start_and_is_left_as_it_is(own_topology):
    fipd = own_topology.fipd
    fipd.announce(A, own_topology.instance.fixed)
    fipd.stop()
    for name in os.listdir(fipd.folder):
        if name.startswith("fipd.db"):
            os.unlink(f"{fipd.folder}/{name}")
    with open(fipd.store, "wb") as store:
        store.write(b"this is not a database" * 500)
    watch = kernel.WriteWatch(own_topology.lab, own_topology.host.namespace)
    fipd.start(ready=False)
    wait_for(lambda: not fipd.process.alive() or "READY=1" in fipd.read_notifications(), 10,
             "it has decided")
    fipd.quiet()
    assert watch.stop() == []
    assert talk.tcp(own_topology.client, A)["server"] == "instance13"
    with open(fipd.store, "rb") as store:
        assert store.read(22) == b"this is not a database"
