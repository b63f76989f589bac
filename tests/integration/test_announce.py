"""What ls and status say of announcements, while BIRD does well and while it does not."""
import signal

import pytest

import kernel
from waiting import wait_for

A, B = "172.16.1.3", "172.16.1.4"


def counts(fipd):
    return fipd.ctl("status", "--json").json["floating_ips"]


def wait_ls(fipd, floating, state, reason="", timeout=8):
    def is_so():
        row = fipd.row(floating)
        right = reason in row["reason"] if reason else not row["reason"]
        return row["state"] == state and right and row
    return wait_for(is_so, timeout, lambda: f"{floating} is {state}: {fipd.row(floating)}", 0.05)


def test_ls_says_announced_at_once_and_events_tell_of_it(topology):
    fipd = topology.fipd
    for floating in (A, B):
        fipd.add(floating, topology.instance.fixed)
    # 200 ms for BIRD to learn of the routes, then one look at them all.
    row = wait_ls(fipd, A, "announced", timeout=2)
    assert row["announced"] == ["tor1"] and row["reason"] == ""
    assert counts(fipd)["announced"] == 2 and counts(fipd)["routed"] == 0
    fipd.wait_log(f"announced {A} to tor1 after", " ms", timeout=2)


def test_a_restart_knows_what_is_announced_again(topology):
    fipd = topology.fipd
    fipd.announce(A, topology.instance.fixed)
    fipd.restart(kill=True)
    wait_ls(fipd, A, "announced", timeout=3)


@pytest.mark.slow
def test_a_session_that_is_down_is_the_reason(own_topology):
    fipd = own_topology.fipd
    fipd.announce(A, own_topology.instance.fixed)
    own_topology.host.bird.birdc("disable", "tor1")
    wait_ls(fipd, A, "learned", "no BGP session is established: session tor1 is down")
    assert (counts(fipd)["announced"], counts(fipd)["learned"]) == (0, 1)
    peer = fipd.ctl("peers", "--json").json["peers"][0]
    assert peer["name"] == "tor1" and not peer["established"] and peer["exported"] == 0
    status = fipd.ctl("status")
    assert status.code == 9 and "session tor1 is down" in status.out
    own_topology.host.bird.birdc("enable", "tor1")
    wait_ls(fipd, A, "announced", timeout=20)


def test_a_killed_bird_is_the_reason_and_a_new_one_ends_it(own_topology):
    fipd = own_topology.fipd
    fipd.announce(A, own_topology.instance.fixed)
    own_topology.host.bird.kill()
    wait_ls(fipd, A, "routed", "BIRD: ")
    own_topology.host.bird.start()
    wait_ls(fipd, A, "announced", timeout=20)


@pytest.mark.slow
def test_a_stopped_bird_disturbs_nobody_else(own_topology):
    fipd, host = own_topology.fipd, own_topology.host
    fipd.announce(A, own_topology.instance.fixed)
    host.bird.process.send(signal.SIGSTOP)
    try:
        wait_ls(fipd, A, "routed", "BIRD: ")
        fipd.add(B, own_topology.instance.fixed)
        assert B in kernel.routes(host.namespace)
        assert B in kernel.translations(host.namespace)
        wait_ls(fipd, B, "routed", "BIRD: ", timeout=1)
        fipd.remove(B)
        wait_for(lambda: fipd.row(B) is None, 8, "the linger time rules")
    finally:
        host.bird.process.send(signal.SIGCONT)
    wait_ls(fipd, A, "announced", timeout=20)


def test_ten_thousand_are_announced_and_counted(own_topology):
    fipd = own_topology.fipd
    pairs = [(f"172.17.{n // 256}.{n % 256}", f"10.65.{4 + n // 250}.{1 + n % 250}")
             for n in range(10_000)]
    own_topology.host.namespace.run("ip", "route", "add", "10.65.0.0/18", "dev",
                                    own_topology.instance.tap)
    fipd.write_bindings("many.toml", pairs)
    wait_for(lambda: counts(fipd)["announced"] == len(pairs), 60,
             lambda: f"all are announced: {counts(fipd)}", 0.5)
    assert all(row["announced"] == ["tor1"] for row in fipd.rows())
