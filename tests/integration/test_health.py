"""Health checks: what fails is drained or withdrawn, and comes back; the brake; restarts."""
import json

import pytest

import kernel
import talk
from topology import Topology
from waiting import stays, wait_for

A, B, C, D = (f"172.16.1.{n}" for n in (3, 4, 5, 6))
QUICK = {"interval": "100ms", "timeout": "1s", "fall": 2, "rise": 2}


@pytest.fixture(scope="module")
def checking():
    made = Topology(with_fipd=False)
    made.host.namespace.sysctl({"ipv4.ping_group_range": "0 2147483647"})
    configure(made)
    made.fipd.start()
    yield made
    made.close()


def configure(topology, **settings):
    topology.fipd.settings["health"] = {**QUICK, **settings}
    topology.fipd.write_config()


@pytest.fixture
def checked(checking):
    yield checking
    checking.fipd.clear()
    configure(checking)
    assert checking.fipd.ctl("reload").code == 0


def bind(topology, check, *floatings, fixed=None):
    rows = [{"floating": floating, "fixed": fixed or topology.instance.fixed, "check": check}
            for floating in floatings]
    done = topology.fipd.ctl("apply", "-f", "-", "--wait=routed",
                             stdin=json.dumps({"floating_ips": rows}))
    assert done.code == 0, done


def wait_row(topology, floating, state, reason=""):
    def is_so():
        row = topology.fipd.row(floating)
        return row["state"] == state and reason in row["reason"] and row
    return wait_for(is_so, 15, lambda: f"{floating} is {state}: {topology.fipd.row(floating)}", 0.05)


def checks(topology):
    return topology.fipd.ctl("status", "--json").json["health_checks"]


@pytest.fixture
def server(checking):
    """A server of its own on the instance, on port 7010."""
    made = talk.EchoServer(checking.instance.namespace, "checked", 7010)
    yield made
    made.close()


def test_a_dead_service_is_drained_and_comes_back(checked, server):
    bind(checked, "tcp/7010", A)
    bind(checked, "tcp/7000", B)
    wait_row(checked, A, "announced")
    wait_for(lambda: checks(checked)["checks"] == 2, 5, "both are checked")
    server.close()
    row = wait_row(checked, A, "drained", "its check tcp/7010 to 10.65.0.13 fails: ")
    assert row["metric"] == 4096
    wait_for(lambda: "(65535,0)" in checked.bird.route(A), 5, "the router is told")
    assert checked.fipd.row(B)["state"] == "announced"
    assert talk.tcp(checked.client, A), "translated as before"
    again = talk.EchoServer(checked.instance.namespace, "again", 7010)
    wait_row(checked, A, "announced")
    again.close()


def test_a_dead_service_is_withdrawn_where_so_configured_also_over_a_restart(checked, server):
    configure(checked, on_failure="withdraw")
    assert checked.fipd.ctl("reload").code == 0
    bind(checked, "tcp/7010", A)
    wait_row(checked, A, "announced")
    server.close()
    wait_row(checked, A, "translated", "its check tcp/7010 to 10.65.0.13 fails: ")
    checked.wait_unrouted(A)
    assert kernel.translations(checked.host.namespace)[A] == checked.instance.fixed
    checked.fipd.quiet()
    watch = kernel.WriteWatch(checked.lab, checked.host.namespace)
    checked.fipd.restart(kill=True)
    checked.fipd.quiet(1.0)
    assert watch.stop() == []
    wait_row(checked, A, "translated")
    again = talk.EchoServer(checked.instance.namespace, "again", 7010)
    wait_row(checked, A, "announced")
    checked.wait_routed(A)
    again.close()


def test_an_instance_that_answers_no_echo_is_drained(checked):
    bind(checked, "icmp", A)
    stays(lambda: checked.fipd.row(A)["state"] in ("routed", "announced"), 1.0, "it answers")
    instance = checked.instance.namespace
    instance.sysctl({"ipv4.icmp_echo_ignore_all": 1})
    wait_row(checked, A, "drained", "its check icmp to 10.65.0.13 fails: no answer in 1000 ms")
    instance.sysctl({"ipv4.icmp_echo_ignore_all": 0})
    wait_row(checked, A, "announced")


def test_where_all_fail_at_once_nothing_is_drained_and_it_is_said(checked, server):
    bind(checked, "tcp/7010", A, B, C, D)
    for floating in (A, B, C, D):
        wait_row(checked, floating, "announced")
    wait_for(lambda: checks(checked)["checks"] == 4, 5, "all are checked")
    checked.fipd.quiet(0.8)  # each has answered
    server.close()
    wait_for(lambda: checks(checked)["held"] == 4, 15, lambda: f"all fail: {checks(checked)}")
    assert {checked.fipd.row(each)["state"] for each in (A, B, C, D)} == {"announced"}
    status = checked.fipd.ctl("status")
    assert status.code == 9 and "the check is suspected, not the instances" in status.out
    again = talk.EchoServer(checked.instance.namespace, "again", 7010)
    wait_for(lambda: not checks(checked)["braking"], 15, "checks are believed again")
    again.close()
