"""fipd as a service: readiness, watchdog, permissions, the wait for an announcement."""
import json
import os
import signal
import socket
import subprocess

import pytest

import kernel
from daemon import FIPCTL
from waiting import wait_for

A, B = "172.16.1.3", "172.16.1.4"
UNIT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../systemd/fipd.service")
NOBODY = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--"]


def test_it_tells_the_service_manager_ready_and_feeds_the_watchdog(topology):
    fipd = topology.fipd
    fipd.announce(A, topology.instance.fixed)
    fipd.stop()
    fipd.start(environment={"WATCHDOG_USEC": "400000"})
    # Ready means served: the first complete pass is behind it.
    assert A in kernel.routes(topology.host.namespace)
    wait_for(lambda: fipd.read_notifications().count("WATCHDOG=1") >= 3, 3,
             lambda: f"WATCHDOG=1 comes in time, seen {fipd.notified}")
    fipd.stop()
    assert "STOPPING=1" in fipd.read_notifications()


@pytest.mark.slow
def test_a_stopped_event_loop_does_not_feed_the_watchdog(topology):
    fipd = topology.fipd
    fipd.stop()
    fipd.start(environment={"WATCHDOG_USEC": "200000"})
    wait_for(lambda: "WATCHDOG=1" in fipd.read_notifications(), 2, "it is fed")
    fipd.process.send(signal.SIGSTOP)
    try:
        fipd.quiet(0.1)
        before = fipd.read_notifications().count("WATCHDOG=1")
        fipd.quiet(0.5)
        assert fipd.read_notifications().count("WATCHDOG=1") == before
    finally:
        fipd.process.send(signal.SIGCONT)


def test_somebody_who_may_not_gets_exit_4_and_changes_nothing(topology):
    topology.fipd.add(A, topology.instance.fixed)
    for words in (["rm", A], ["add", B, topology.neighbour.fixed], ["ls"], ["reload"]):
        answer = topology.fipd.ctl(*words, prefix=NOBODY)
        assert answer.code == 4, (words, answer)
        assert len(answer.err) > 10
    assert [row["floating"] for row in topology.fipd.rows()] == [A]


@pytest.mark.slow
def test_read_by_all_lets_anybody_look_and_nobody_change(topology):
    fipd = topology.fipd
    fipd.add(A, topology.instance.fixed)
    fipd.settings["control"]["read_by_all"] = True
    fipd.write_config()
    try:
        fipd.restart()
        answer = fipd.ctl("ls", "--json", prefix=NOBODY)
        assert answer.code == 0 and answer.json["floating_ips"][0]["floating"] == A
        assert fipd.ctl("rm", A, prefix=NOBODY).code == 4
        assert fipd.row(A)
    finally:
        del fipd.settings["control"]["read_by_all"]
        fipd.write_config()
        fipd.restart()


def test_wait_announced_returns_when_the_router_has_it(topology):
    for number in range(10, 20):
        topology.fipd.announce(f"172.16.1.{number}", topology.instance.fixed)
        wait_for(lambda at=number: topology.bird.route(f"172.16.1.{at}"), 0.5, "the router has it")


def test_wait_announced_runs_out_with_exit_8_while_bird_is_away(own_topology):
    own_topology.host.bird.kill()
    answer = own_topology.fipd.ctl("add", A, own_topology.instance.fixed, "--wait=announced",
                                   "--timeout", "1s")
    assert answer.code == 8, answer
    row = own_topology.fipd.row(A)
    assert row["state"] == "routed" and row["reason"], row
    assert A in kernel.routes(own_topology.host.namespace)
    own_topology.host.bird.start()
    own_topology.fipd.wait_state(A, "announced", 15)


def test_a_daemon_that_is_not_there_is_exit_7(topology):
    done = subprocess.run([FIPCTL, "--socket", topology.fipd.socket + ".none", "ls"], text=True,
                          capture_output=True, timeout=10)
    assert done.returncode == 7 and ".none" in done.stderr


def test_metrics_whose_address_comes_late_keep_nothing_down(topology):
    fipd, host, late = topology.fipd, topology.host.namespace, "10.240.9.9"
    fipd.settings["metrics"] = {"listen": f"{late}:9472"}
    fipd.write_config()
    try:
        fipd.restart()
        topology.announce(A, topology.instance.fixed)
        status = fipd.ctl("status", "--json")
        assert status.code == 0 and [each for each in status.json["warnings"] if late in each]
        host.ip(f"addr add {late}/32 dev lo")
        wait_for(lambda: "fipd_" in host.run("curl", "-sS", f"http://{late}:9472/metrics",
                                             check=False).stdout, 10, "it is listened there")
        assert not fipd.ctl("status", "--json").json["warnings"]
    finally:
        host.ip(f"addr del {late}/32 dev lo", check=False)
        del fipd.settings["metrics"]
        fipd.write_config()
        fipd.restart()


def test_curl_works_as_documented(topology):
    topology.fipd.announce(A, topology.instance.fixed)
    done = subprocess.run(["curl", "-s", "--unix-socket", topology.fipd.socket,
                           "http://fipd/v1/floating-ips"], text=True, capture_output=True,
                          timeout=10)
    assert json.loads(done.stdout)["floating_ips"][0]["floating"] == A


def test_the_unit_is_valid_and_its_exposure_is_2_or_better(tmp_path):
    unit = tmp_path / "fipd.service"
    with open(UNIT) as shipped:
        # verify looks for the program: on the test machine it is not installed.
        unit.write_text(shipped.read().replace("/usr/sbin/fipd", "/bin/true"))
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", str(unit)], text=True,
                          capture_output=True, timeout=60)
    assert done.returncode == 0 and "fipd.service" not in done.stderr, done.stderr
    done = subprocess.run(["systemd-analyze", "security", "--offline=yes", "--threshold=20",
                           str(unit)], text=True, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stdout[-300:] + done.stderr


def test_sysusers_and_tmpfiles_make_what_the_unit_needs(tmp_path):
    folder = os.path.dirname(UNIT)
    (tmp_path / "etc").mkdir()
    for command in (["systemd-sysusers", f"--root={tmp_path}", f"{folder}/fipd.sysusers"],
                    ["systemd-tmpfiles", f"--root={tmp_path}", "--create",
                     f"{folder}/fipd.tmpfiles"]):
        done = subprocess.run(command, text=True, capture_output=True, timeout=30)
        assert done.returncode == 0, done.stderr
    assert "fipd:" in (tmp_path / "etc/passwd").read_text()
    assert "bird:" in (tmp_path / "etc/group").read_text()
    assert (tmp_path / "etc/fipd/floating-ips.d").is_dir()


@pytest.mark.parametrize("number", ["SIGTERM", "SIGINT"])
def test_it_ends_in_order_on(topology, number):
    topology.fipd.process.send(getattr(signal, number))
    assert topology.fipd.process.popen.wait(5) == 0
    assert not os.path.exists(topology.fipd.socket)


# The second runs out after the two seconds that answers have, and before the end of the process.
@pytest.mark.parametrize("timeout, codes", [("1s", (8,)), ("2600ms", (7, 8))])
def test_who_waits_for_an_answer_when_it_is_told_to_end_gets_it_in_time(own_topology, timeout, codes):
    fipd = own_topology.fipd
    own_topology.host.bird.kill()
    waiting = subprocess.Popen([FIPCTL, "--socket", fipd.socket, "add", A,
                                own_topology.instance.fixed, "--wait=announced", "--timeout", timeout],
                               text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    fipd.wait_state(A, "routed")
    idle = socket.socket(socket.AF_UNIX)
    idle.connect(fipd.socket)
    assert waiting.poll() is None
    fipd.stop()
    out, err = waiting.communicate(timeout=10)
    assert waiting.returncode in codes, (waiting.returncode, out, err)
    assert ("routed" in out + err) == (waiting.returncode == 8), (out, err)
    assert idle.recv(1) == b""
