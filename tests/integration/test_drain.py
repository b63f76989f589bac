"""Drain: by metric only, told to the peers, kept over restarts and reboots; nothing is withdrawn."""
import json

import pytest

import kernel
import talk
from waiting import stays, wait_for

A, A6, B, C = "172.16.1.3", "2001:db8:1::3", "172.16.1.4", "172.16.1.5"
GRACEFUL_SHUTDOWN = "(65535,0)"


@pytest.fixture
def drained_after(topology):
    """A topology that is left undrained."""
    yield topology
    topology.fipd.ctl("undrain", "--all")


def metric(topology, floating):
    route = kernel.routes(topology.host.namespace).get(floating)
    return route[1] if route else None


def test_one_address_is_drained_for_the_router_and_its_connections_live(drained_after):
    topology = drained_after
    fipd = topology.fipd
    for floating in (A, B):
        fipd.announce(floating, topology.instance.fixed)
    fipd.announce(A6, topology.instance.fixed6)
    call = talk.TcpCall(topology.client, A)
    maps = kernel.nat(topology.host.namespace)

    done = fipd.ctl("drain", A, A6, "--wait")
    assert done.code == 0, done
    assert "2 floating IPs drained (2 by name); every peer was told; " in done.out
    for floating in (A, A6):
        wait_for(lambda: GRACEFUL_SHUTDOWN in topology.bird.route(floating), 5,
                 lambda: f"the router is told:\n{topology.bird.route(floating)}")
        row = fipd.shown(floating)
        assert (row["state"], row["announced"], row["metric"]) == ("drained", ["tor1"], 4096)
    assert GRACEFUL_SHUTDOWN not in topology.bird.route(B)
    assert topology.is_routed(A) and call.say() and talk.tcp(topology.client, A)
    assert kernel.nat(topology.host.namespace) == maps
    assert fipd.ctl("status", "--json").json["drain"] == {"all": False, "marked": 2}

    assert fipd.ctl("undrain", A, A6).code == 0
    wait_for(lambda: GRACEFUL_SHUTDOWN not in topology.bird.route(A), 5, "the router is told")
    assert call.say()
    fipd.wait_state(A, "announced")
    call.close()


def test_a_drain_never_withdraws(drained_after):
    topology = drained_after
    topology.fipd.announce(A, topology.instance.fixed)
    before = topology.bird.birdc("show", "protocols", "all", topology.host.session)
    pings = topology.lab.start("ping", ["ping", "-n", "-i", "0.005", "-c", "300", "-W", "1", A],
                               topology.client)
    for _ in range(3):
        assert topology.fipd.ctl("drain", "--all", "--wait").code == 0
        assert topology.fipd.ctl("undrain", "--all").code == 0
    stays(lambda: topology.is_routed(A), 0.2, "the router keeps a route")
    pings.popen.wait(20)
    assert "300 packets transmitted, 300 received" in pings.text(), pings.text()[-300:]
    after = topology.bird.birdc("show", "protocols", "all", topology.host.session)

    def withdraws(text):
        return [line.split() for line in text.splitlines() if "Import withdraws" in line]
    assert withdraws(after) == withdraws(before)


def test_a_drained_host_drains_what_comes_to_it_from_every_source(drained_after):
    topology = drained_after
    fipd = topology.fipd
    fipd.announce(A, topology.instance.fixed)
    assert fipd.ctl("drain", "--all", "--wait").code == 0
    fipd.add(B, topology.instance.fixed)
    fipd.write_bindings("c.toml", [(C, topology.neighbour.fixed)])
    wait_for(lambda: metric(topology, C) == 4096, 10, "the file's binding is drained")
    assert (metric(topology, A), metric(topology, B)) == (4096, 4096)
    done = fipd.ctl("drain", "--all", "--wait")
    assert done.out.startswith("the host is drained: 3 floating IPs drained; every peer was told;")
    refused = fipd.ctl("undrain", A)
    assert refused.code == 5 and "undrain --all" in refused.err
    assert fipd.ctl("undrain", "--all").code == 0
    assert [metric(topology, each) for each in (A, B, C)] == [1024] * 3
    fipd.remove_file("c.toml")
    wait_for(lambda: fipd.row(C) is None, 10, "the file's binding is gone")


@pytest.mark.parametrize("words", [["--all"], [A]], ids=["host", "address"])
def test_a_drain_is_kept_over_kill_restart_and_reboot(own_topology, words):
    fipd, host = own_topology.fipd, own_topology.host.namespace
    fipd.announce(A, own_topology.instance.fixed)
    assert fipd.ctl("drain", *words, "--wait").code == 0
    fipd.quiet()
    watch = kernel.WriteWatch(own_topology.lab, host)
    fipd.restart(kill=True)
    fipd.wait_state(A, "drained")
    fipd.quiet(0.5)
    assert watch.stop() == []
    # A reboot: nothing is left but the disk.
    fipd.stop()
    host.ip("route flush table 172")
    host.nft("delete table inet fipd\n")
    fipd.start()
    fipd.wait_state(A, "drained")
    assert metric(own_topology, A) == 4096
    assert fipd.ctl("undrain", *words).code == 0
    assert metric(own_topology, A) == 1024


def test_a_drain_says_how_many_connections_are_open_and_monitor_follows_them(drained_after):
    topology = drained_after
    fipd = topology.fipd
    fipd.announce(A, topology.instance.fixed)
    calls = [talk.TcpCall(topology.client, A) for _ in range(3)]
    monitor = topology.lab.start("monitor", [*fipd_ctl(fipd), "--json", "monitor"])

    def told(words):
        return [line for line in monitor.text().splitlines()
                if '"drain"' in line and words in json.loads(line)["text"]]

    def heard():
        fipd.add(B, topology.instance.fixed)
        fipd.remove(B)
        return monitor.text()
    wait_for(heard, 10, "monitor follows events", 0.1)
    done = fipd.ctl("drain", A, "--wait", "--json")
    assert done.json["complete"] and done.json["connections"] >= 3, done
    wait_for(lambda: told("open on 1 drained floating IP"), 25, "monitor tells of connections")
    for call in calls:
        call.close()

    def ended():
        # Again and again: a late FIN makes an entry of its own.
        topology.host.namespace.run("conntrack", "-F", check=False)
        return told("0 connection(s) open on 1 drained floating IP")
    wait_for(ended, 25, "monitor tells of their end", 0.5)
    monitor.kill()


def fipd_ctl(fipd):
    from daemon import FIPCTL
    return [FIPCTL, "--socket", fipd.socket]


def test_waiting_for_a_peer_that_cannot_be_told_runs_out_in_words(own_topology):
    fipd = own_topology.fipd
    fipd.announce(A, own_topology.instance.fixed)
    own_topology.host.bird.kill()
    done = fipd.ctl("drain", A, "--wait", "--timeout", "1s")
    assert done.code == 8 and "1 floating IP drained" in done.err and "BIRD" in done.err, done
    assert metric(own_topology, A) == 4096
    unknown = fipd.ctl("drain", "172.16.1.99")
    assert unknown.code == 3, unknown
