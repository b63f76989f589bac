"""Limits of one floating IP: bandwidth, new connections, connections; changed while they are used."""
import json
import socket
import struct
import time

import pytest

import conntrack
import kernel
import talk
from daemon import OK
from topology import CLIENT
from waiting import wait_for

A = {4: "172.16.1.3", 6: "2001:db8:1::3"}
B = {4: "172.16.1.4", 6: "2001:db8:1::4"}
FAMILIES = pytest.mark.parametrize("family", [4, 6], ids=["ipv4", "ipv6"])
SO_RCVBUFFORCE = 33
SIZE = 1200
BYTES_A_SECOND, BURST = 1_000_000, 50_000


def fixed(instance, family):
    return instance.fixed if family == 4 else instance.fixed6


def bind(topology, floating, instance, **limits):
    family = 6 if ":" in floating else 4
    binding = {"floating": floating, "fixed": fixed(instance, family)}
    if limits:
        binding["limits"] = limits
    answer = topology.fipd.ctl("apply", "-f", "-", "--wait=announced",
                               stdin=json.dumps({"floating_ips": [binding]}))
    assert answer.code == OK, answer
    topology.wait_routed(floating)


class Sink:
    """Takes datagrams without answering; its buffer holds them until they are counted."""

    def __init__(self, namespace, port=7100):
        self._sock = namespace.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        self._sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        self._sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20)
        self._sock.bind(("::", port))
        self._sock.settimeout(0.3)

    def take(self):
        """Lengths of all that has come."""
        sizes = []
        while True:
            try:
                sizes.append(len(self._sock.recv(65536)))
            except TimeoutError:
                return sizes

    def close(self):
        self._sock.close()


def flow_of(namespace, target, port, seconds):
    """Datagrams as fast as they go; (how many bytes of IP were sent, in how many seconds)."""
    v6 = ":" in target
    with namespace.socket(socket.AF_INET6 if v6 else socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect((target, port))
        data, sent, start = b"x" * SIZE, 0, time.monotonic()
        while time.monotonic() - start < seconds:
            for _ in range(20):
                sock.send(data)
            sent += 20
        return sent * (SIZE + 28 + 20 * v6), time.monotonic() - start


@FAMILIES
@pytest.mark.parametrize("direction", ["in", "out"])
def test_bandwidth_is_limited_in_one_direction(topology, family, direction):
    limits = {f"{direction}_bits": BYTES_A_SECOND * 8, f"{direction}_burst": BURST}
    bind(topology, A[family], topology.instance, **limits)
    inside, outside = topology.instance.namespace, topology.client
    header = 28 + 20 * (family == 6)
    for sender, target, receiver in ((outside, A[family], inside),
                                     (inside, CLIENT[family == 6], outside)):
        limited = (sender is outside) == (direction == "in")
        sink = Sink(receiver)
        try:
            sent, took = flow_of(sender, target, 7100, 1.0)
            got = sum(size + header for size in sink.take())
        finally:
            sink.close()
        # The kernel's bucket holds the burst and one second's worth: that much comes at a blow.
        allowed = BURST + BYTES_A_SECOND + BYTES_A_SECOND * took
        assert sent > 3 * allowed, "the sender is too slow for this test"
        if limited:
            assert 0.7 * allowed < got < 1.2 * allowed, f"{got} bytes in {took:.2f} s"
        else:
            assert got > 2 * allowed, f"{got} of {sent} bytes of the direction without a limit"


def arrivals(topology, floating, count):
    """How many of `count` datagrams, each a connection of its own, reach the instance, and the time."""
    sink = Sink(topology.instance.namespace)
    try:
        start = time.monotonic()
        for _ in range(count):
            family = socket.AF_INET6 if ":" in floating else socket.AF_INET
            with topology.client.socket(family, socket.SOCK_DGRAM) as sock:
                sock.sendto(b"hello", (floating, 7100))
        took = time.monotonic() - start
        return len(sink.take()), took
    finally:
        sink.close()


@FAMILIES
def test_new_connections_a_second_are_limited_and_those_that_are_open_are_not(topology, family):
    bind(topology, A[family], topology.instance)
    before = talk.TcpCall(topology.client, A[family])
    assert arrivals(topology, A[family], 100)[0] == 100
    bind(topology, A[family], topology.instance, new_connections=10, new_connections_burst=5)
    got, took = arrivals(topology, A[family], 100)
    assert 5 <= got <= 5 + 10 * took + 2, f"{got} in {took:.2f} s"
    assert all(before.say() for _ in range(50))
    bind(topology, A[family], topology.instance)
    assert arrivals(topology, A[family], 100)[0] == 100
    assert before.say()
    before.close()


def open_calls(topology, floating, count):
    """As many of `count` TCP connections as are let through."""
    calls = []
    for _ in range(count):
        try:
            calls.append(talk.TcpCall(topology.client, floating, timeout=0.6))
        except OSError:
            pass
    return calls


@FAMILIES
def test_connections_at_a_time_are_limited_and_the_limit_changes_under_open_ones(topology, family):
    bind(topology, A[family], topology.instance, connections=4)
    calls = open_calls(topology, A[family], 6)
    assert len(calls) == 4
    # One that ends makes room for another.
    calls.pop().close()
    wait_for(lambda: calls.extend(open_calls(topology, A[family], 1)) or len(calls) == 4, 10,
             "there is room for one more")
    # Higher, none, lower: nobody is cut off.
    bind(topology, A[family], topology.instance, connections=6)
    calls += open_calls(topology, A[family], 2)
    assert len(calls) == 6
    bind(topology, A[family], topology.instance)
    calls += open_calls(topology, A[family], 4)
    assert len(calls) == 10
    bind(topology, A[family], topology.instance, connections=1)
    for call in calls:
        call.sock.settimeout(5)
        assert call.say()
        call.close()


def test_limits_are_shown_and_a_restart_writes_nothing(topology):
    limits = {"in_bits": 8_000_000, "in_burst": 65536, "new_connections": 100, "connections": 50}
    bind(topology, A[4], topology.instance, **limits)
    assert topology.fipd.shown(A[4])["limits"] == limits
    watch = kernel.WriteWatch(topology.lab, topology.host.namespace)
    topology.fipd.restart(kill=True)
    topology.fipd.quiet(0.5)
    assert watch.stop() == []


def flood(topology, floating, count):
    """Datagrams to `floating` from `count` addresses that do not exist: each a new connection."""
    target = socket.inet_aton(floating)
    with topology.client.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as sock:
        udp = struct.pack(">HHHH", 4000, 9, 8, 0)
        for number in range(count):
            source = struct.pack(">I", 0xC6120000 + number)  # 198.18.0.0/15
            sock.sendto(struct.pack(">BBHHHBBH", 0x45, 0, 28, 0, 0, 64, 17, 0) + source + target
                        + udp, (floating, 0))


@pytest.mark.slow
def test_a_flooded_floating_ip_does_not_keep_another_from_being_reached(topology):
    """The connection table is full but for a little: that is the small nf_conntrack_max."""
    host, room = topology.host.namespace, 2000
    bind(topology, A[4], topology.instance)
    bind(topology, B[4], topology.neighbour)
    conntrack.fill(host, conntrack.most(host) - conntrack.count(host) - room)
    flood(topology, A[4], 2 * room)
    assert conntrack.count(host) >= conntrack.most(host) - 50, "the flood has filled the table"
    unlimited = sum(talk.tcp(topology.client, B[4], timeout=0.3) is not None for _ in range(10))
    assert unlimited < 10, "nothing was kept from reaching the other floating IP"
    # The same again with a limit.
    host.run("conntrack", "-D", "-d", A[4], check=False)
    bind(topology, A[4], topology.instance, new_connections=50)
    flood(topology, A[4], 2 * room)
    assert conntrack.count(host) < conntrack.most(host) - room / 4
    assert all(talk.tcp(topology.client, B[4]) for _ in range(10))
def test_limits_of_the_configuration_hold_for_bindings_without_their_own(topology):
    fipd = topology.fipd
    fipd.settings["floating_ip_limits"] = {"connections": 2}
    fipd.write_config()
    bind(topology, A[4], topology.instance)
    bind(topology, B[4], topology.neighbour, connections=3)
    assert fipd.ctl("reload").code in (0, 9)
    try:
        wait_for(lambda: "172.16.1.3" in topology.host.namespace.run(
            "nft", "list", "set", "inet", "fipd", "connections", check=False).stdout, 5,
            "the default is in the kernel")
        for floating, allowed in ((A[4], 2), (B[4], 3)):
            calls = open_calls(topology, floating, 5)
            assert len(calls) == allowed
            for call in calls:
                call.close()
    finally:
        del fipd.settings["floating_ip_limits"]
        fipd.write_config()
        assert fipd.ctl("reload").code in (0, 9)
    wait_for(lambda: talk.tcp(topology.client, A[4]), 5, "no limit is left")
