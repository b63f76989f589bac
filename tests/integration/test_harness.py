"""The harness itself: its network carries what it should without fipd, and it leaves nothing behind."""
import os
import signal
import subprocess
import sys
import tempfile
import time

import pytest

import kernel
import namespaces
import talk
from topology import CLIENT, Topology
from waiting import wait_for

SUPPORT = os.path.dirname(os.path.abspath(namespaces.__file__))
PROGRAM = f"""
import sys, time
sys.path.insert(0, {SUPPORT!r})
import namespaces
namespaces.close_on_signals()
from topology import Topology
topology = Topology(with_fipd=False)
print("built", flush=True)
"""


@pytest.fixture(scope="module")
def bare():
    made = Topology(with_fipd=False)
    yield made
    made.close()


def test_the_client_reaches_the_instance_by_its_fixed_ip_three_hops_away(bare):
    for fixed, client in ((bare.instance.fixed, CLIENT[0]), (bare.instance.fixed6, CLIENT[1])):
        assert talk.tcp(bare.client, fixed)["peer"] == client
        assert talk.udp(bare.client, fixed)["peer"] == client
        assert talk.ping(bare.client, fixed, 5) == 5
    trace = bare.client.run("ping", "-n", "-c1", "-W1", "-t2", bare.instance.fixed, check=False)
    assert "Time to live exceeded" in trace.stdout


def test_a_route_in_fipds_table_reaches_the_router_over_bgp_and_a_strangers_does_not(bare):
    before = bare.updates()
    bare.host.namespace.ip(
        f"route add 172.16.9.9 dev {bare.instance.tap} table 172 proto 172 scope link metric 1024",
        f"route add 2001:db8:1::9 dev {bare.instance.tap} table 172 proto 172 metric 1024",
        f"route add 172.16.9.8 dev {bare.instance.tap} table 172 proto 99 scope link metric 1024")
    bare.wait_routed("172.16.9.9")
    bare.wait_routed("2001:db8:1::9")
    assert not bare.is_routed("172.16.9.8")
    assert bare.updates() == before + 2
    assert "BGP.med: 1024" in bare.bird.route("172.16.9.9")
    assert kernel.routes(bare.host.namespace) == {"172.16.9.9": (bare.instance.tap, 1024),
                                                  "2001:db8:1::9": (bare.instance.tap, 1024)}
    assert kernel.strangers(bare.host.namespace) == ["172.16.9.8"]
    bare.host.namespace.ip("route flush table 172")
    bare.wait_unrouted("172.16.9.9")


def test_the_recorders_see_a_write_to_routes_and_one_to_nft(bare):
    host = bare.host.namespace
    watch = kernel.WriteWatch(bare.lab, host)
    assert watch.stop() == []
    watch = kernel.WriteWatch(bare.lab, host)
    host.ip("route add blackhole 172.16.9.7 table 172 proto 172")
    host.nft("table inet elsewhere { map m { type ipv4_addr : ipv4_addr; }; }\n")
    seen = watch.stop()
    assert any("172.16.9.7" in line for line in seen)
    assert any("elsewhere" in line for line in seen)
    host.nft("delete table inet elsewhere\n")
    host.ip("route flush table 172")


def test_the_sampler_sees_a_route_without_its_nat_entry(bare):
    host = bare.host.namespace
    host.nft("table inet fipd { map fixed_by_floating { type ipv4_addr : ipv4_addr; }; }\n"
             "add element inet fipd fixed_by_floating { 172.16.9.1 : 10.65.0.13 }\n")
    sampler = bare.lab.start("sampler", ["/usr/bin/python3", f"{SUPPORT}/untranslated_sampler.py"],
                             host)
    wait_for(lambda: "sampling" in sampler.text(), 5, "the sampler runs")
    host.ip("route add blackhole 172.16.9.1 table 172 proto 172",
            "route add blackhole 172.16.9.2 table 172 proto 172")
    wait_for(lambda: "untranslated 172.16.9.2" in sampler.text(), 2, "172.16.9.2 is told")
    sampler.stop()
    assert "untranslated 172.16.9.1\n" not in sampler.text()
    host.nft("delete table inet fipd\n")
    host.ip("route flush table 172")


def left_behind(pid):
    names = [name for name in os.listdir(namespaces.RUN_NETNS) if name.startswith(f"fipd-{pid}-")]
    names += [name for name in os.listdir(tempfile.gettempdir()) if name.startswith(f"fipd-{pid}-")]
    for process in os.listdir("/proc"):
        try:
            command = open(f"/proc/{process}/cmdline").read() if process.isdigit() else ""
        except OSError:
            continue
        if f"fipd-{pid}-" in command:
            names.append(command.replace("\0", " "))
    return names


@pytest.mark.parametrize("end", ["raise SystemError('as a failed test does')", "SIGINT",
                                 "SIGTERM"])
def test_nothing_is_left_behind_whatever_ends_the_tests(end):
    body = end if end.startswith("raise") else "time.sleep(60)"
    program = subprocess.Popen([sys.executable, "-c", PROGRAM + body], stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL, text=True)
    assert program.stdout.readline() == "built\n"
    if not end.startswith("raise"):
        assert left_behind(program.pid)
        program.send_signal(getattr(signal, end))
    assert program.wait(10) != 0
    program.stdout.close()
    wait_for(lambda: not left_behind(program.pid), 2, lambda: f"left: {left_behind(program.pid)}")


def test_what_a_killed_test_process_left_is_swept_by_the_next():
    program = subprocess.Popen([sys.executable, "-c", PROGRAM + "time.sleep(60)"],
                               stdout=subprocess.PIPE, text=True)
    assert program.stdout.readline() == "built\n"
    program.kill()
    program.wait()
    program.stdout.close()
    time.sleep(0.1)
    assert left_behind(program.pid)
    namespaces.sweep()
    assert left_behind(program.pid) == []
