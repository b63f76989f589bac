"""Accounting: packets and bytes of each floating IP are what was sent, and never go back."""
import socket

import pytest

import talk
from topology import CLIENT, Topology
from waiting import wait_for

A = {4: "172.16.1.3", 6: "2001:db8:1::3"}
B = {4: "172.16.1.4", 6: "2001:db8:1::4"}
FAMILIES = pytest.mark.parametrize("family", [4, 6], ids=["ipv4", "ipv6"])
KEYS = ("in_packets", "in_bytes", "out_packets", "out_bytes")
HEADER = {4: 20, 6: 40}


@pytest.fixture(scope="module")
def counted():
    made = Topology(with_fipd=False)
    made.fipd.settings["nat"]["accounting"] = True
    made.fipd.write_config()
    made.fipd.start()
    for family in (4, 6):
        made.fipd.announce(A[family], fixed(made.instance, family))
        made.fipd.announce(B[family], fixed(made.neighbour, family))
        made.wait_routed(A[family]), made.wait_routed(B[family])
    # The last reading is up to a second old: older than the binding.
    for floating in (*A.values(), *B.values()):
        wait_for(lambda: "traffic" in made.fipd.shown(floating), 5, f"{floating} is counted")
    yield made
    made.close()


def fixed(instance, family):
    return instance.fixed if family == 4 else instance.fixed6


def traffic(topology, floating):
    """(in packets, in bytes, out packets, out bytes) by `fipctl show`."""
    row = topology.fipd.ctl("show", floating, "--json").json
    return tuple(row["traffic"][key] for key in KEYS)


def expect(topology, floating, before, *more):
    """What was counted is `before` and exactly `more`."""
    wanted = tuple(was + new for was, new in zip(before, more))
    # The kernel is read at most once a second.
    wait_for(lambda: traffic(topology, floating) == wanted, 5,
             lambda: f"{floating} has {wanted}, but {traffic(topology, floating)}")
    return wanted


def settled(topology, floating):
    """The counters as soon as two looks, more than a second apart, agree."""
    last = []

    def is_steady():
        last.append(traffic(topology, floating))
        return len(last) > 1 and last[-1] == last[-2]
    wait_for(is_steady, 15, "nothing is on its way", interval=1.2)
    return last[-1]


def pings(namespace, address, count, size):
    done = namespace.run("ping", "-n", "-q", "-c", count, "-i", "0.01", "-s", size, "-W", "2",
                         address)
    assert f"{count} received" in done.stdout


def datagrams(sender, target, receiver, count, size):
    """UDP in one direction only."""
    kind = socket.AF_INET6 if ":" in target else socket.AF_INET
    with receiver.socket(kind, socket.SOCK_DGRAM) as sink, \
            sender.socket(kind, socket.SOCK_DGRAM) as source:
        sink.bind(("::" if ":" in target else "0.0.0.0", 7200))
        sink.settimeout(3)
        for _ in range(count):
            source.sendto(b"x" * size, (target, 7200))
            assert len(sink.recv(4096)) == size


@FAMILIES
def test_pings_and_datagrams_are_counted_exactly_in_each_direction(counted, family):
    before, others = settled(counted, A[family]), settled(counted, B[family])
    head = HEADER[family]
    pings(counted.client, A[family], 20, 100)
    now = expect(counted, A[family], before, 20, 20 * (108 + head), 20, 20 * (108 + head))
    datagrams(counted.client, A[family], counted.instance.namespace, 7, 500)
    now = expect(counted, A[family], now, 7, 7 * (508 + head), 0, 0)
    datagrams(counted.instance.namespace, CLIENT[family == 6], counted.client, 5, 300)
    now = expect(counted, A[family], now, 0, 0, 5, 5 * (308 + head))
    pings(counted.instance.namespace, CLIENT[family == 6], 4, 64)
    expect(counted, A[family], now, 4, 4 * (72 + head), 4, 4 * (72 + head))
    assert traffic(counted, B[family]) == others


@FAMILIES
def test_what_does_not_go_through_the_floating_ip_is_not_counted(counted, family):
    before = settled(counted, A[family])
    pings(counted.client, fixed(counted.instance, family), 5, 100)
    pings(counted.neighbour.namespace, fixed(counted.instance, family), 5, 100)
    assert settled(counted, A[family]) == before


@FAMILIES
def test_a_call_from_floating_ip_to_floating_ip_on_one_host_counts_for_both(counted, family):
    before, others = settled(counted, A[family]), settled(counted, B[family])
    size = 6 * (64 + 8 + HEADER[family])
    pings(counted.instance.namespace, B[family], 6, 64)
    expect(counted, B[family], others, 6, size, 6, size)
    expect(counted, A[family], before, 6, size, 6, size)


@FAMILIES
def test_the_hosts_own_traffic_counts_in_both_directions(counted, family):
    before = settled(counted, A[family])
    size = 3 * (64 + 8 + HEADER[family])
    pings(counted.host.namespace, A[family], 3, 64)
    expect(counted, A[family], before, 3, size, 3, size)


@pytest.mark.parametrize("kill", [False, True], ids=["after_a_stop", "after_kill_9"])
def test_a_restart_loses_and_doubles_nothing(counted, kill):
    pings(counted.client, A[4], 10, 100)
    before = settled(counted, A[4])
    counted.fipd.kill() if kill else counted.fipd.stop()
    pings(counted.client, A[4], 10, 100)
    counted.fipd.start()
    expect(counted, A[4], before, 10, 1280, 10, 1280)


@pytest.mark.parametrize("damage", ["delete table inet fipd", "flush ruleset",
                                    "flush set inet fipd received"])
def test_a_repair_begins_where_the_count_was(counted, damage):
    pings(counted.client, A[4], 10, 100)
    pings(counted.client, A[6], 10, 100)
    before, before6 = settled(counted, A[4]), settled(counted, A[6])
    since = len(counted.fipd.log())
    counted.host.namespace.nft(f"{damage}\n")
    counted.fipd.wait_log("nft", since=since)
    wait_for(lambda: talk.ping(counted.client, A[4]) == 1, 5, "it is repaired")
    # The one ping is counted, or came while there was nothing to count it: never less than before.
    after = settled(counted, A[4])
    assert all(now >= was for now, was in zip(after, before)), (before, after)
    assert after[0] - before[0] <= 5
    assert settled(counted, A[6]) == before6
    pings(counted.client, A[4], 10, 100)
    expect(counted, A[4], after, 10, 1280, 10, 1280)


def test_a_retarget_keeps_the_count_of_the_floating_ip(counted):
    before = settled(counted, A[4])
    counted.fipd.add(A[4], counted.neighbour.fixed, "--replace")
    try:
        pings(counted.client, A[4], 5, 100)
        expect(counted, A[4], before, 5, 640, 5, 640)
    finally:
        counted.fipd.add(A[4], counted.instance.fixed, "--replace")


def test_ls_wide_and_the_list_tell_what_show_tells(counted):
    pings(counted.client, A[4], 3, 100)
    shown = settled(counted, A[4])
    wide = counted.fipd.ctl("ls", "--wide").out
    line = next(line for line in wide.splitlines() if line.startswith(f"{A[4]} "))
    assert str(shown[0]) in line.split() or f"{shown[0]}" in line, line
    rows = counted.fipd.ctl("ls", "--wide", "--json").json["floating_ips"]
    row = next(row for row in rows if row["floating"] == A[4])
    assert tuple(row["traffic"][key] for key in KEYS) == shown


def test_it_is_off_by_default_and_comes_and_goes_with_the_setting(counted):
    fipd = counted.fipd
    fipd.settings["nat"]["accounting"] = False
    fipd.write_config()
    assert fipd.ctl("reload").code in (0, 9)
    wait_for(lambda: "traffic" not in fipd.shown(A[4]), 5, "nothing is counted")
    assert "counter" not in counted.host.namespace.run("nft", "list", "set", "inet", "fipd",
                                                       "received", check=False).stdout
    assert talk.tcp(counted.client, A[4])["server"] == "instance13"
    fipd.settings["nat"]["accounting"] = True
    fipd.write_config()
    assert fipd.ctl("reload").code in (0, 9)
    wait_for(lambda: "traffic" in fipd.shown(A[4]), 5, "it is counted again")
    before = settled(counted, A[4])
    pings(counted.client, A[4], 3, 100)
    expect(counted, A[4], before, 3, 384, 3, 384)
