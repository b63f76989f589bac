"""ICMP through a floating IP: errors from either side, path MTU discovery, traceroute."""
import re

import pytest

import icmp
import talk
from topology import CLIENT
from waiting import wait_for

FLOATING = {4: "172.16.1.3", 6: "2001:db8:1::3"}
ROUTER = {4: "198.51.100.1", 6: "2001:db8:c::1"}
UPLINK = {4: "10.240.1.1", 6: "fd00:240:1::1"}  # the router's address towards the host
FAMILIES = pytest.mark.parametrize("family", [4, 6], ids=["ipv4", "ipv6"])
UNREACHABLE_PORT = {4: (3, 3), 6: (1, 4)}
TIME_EXCEEDED = {4: (11, 0), 6: (3, 0)}
SMALL_MTU = 1300


@pytest.fixture(scope="module")
def bound(shared_topology):
    """One instance with a floating IP of each family for the whole module."""
    shared_topology.fipd.announce(FLOATING[4], shared_topology.instance.fixed)
    shared_topology.fipd.announce(FLOATING[6], shared_topology.instance.fixed6)
    for floating in FLOATING.values():
        shared_topology.wait_routed(floating)
    return shared_topology


def client(family):
    return CLIENT[0] if family == 4 else CLIENT[1]


def fixed(topology, family):
    return topology.instance.fixed if family == 4 else topology.instance.fixed6


def error_of(namespace, target, port, ttl=None):
    """The ICMP error that one datagram to target:port brings back."""
    with icmp.datagram_socket(namespace, target, ttl) as sock:
        sock.sendto(b"x" * 64, (target, port))
        return icmp.wait_error(sock)


@FAMILIES
def test_the_instances_port_unreachable_comes_from_the_floating_ip(bound, family):
    error = error_of(bound.client, FLOATING[family], 7999)
    assert error and (error.type, error.code) == UNREACHABLE_PORT[family]
    assert (error.offender, error.target) == (FLOATING[family], FLOATING[family])


@FAMILIES
def test_a_servers_port_unreachable_reaches_the_instance_that_called_out(bound, family):
    error = error_of(bound.instance.namespace, client(family), 7999)
    assert error and (error.type, error.code) == UNREACHABLE_PORT[family]
    assert (error.offender, error.target) == (client(family), client(family))


@FAMILIES
def test_a_clients_port_unreachable_reaches_the_instance_that_answered_it(bound, family):
    inside = icmp.datagram_socket(bound.instance.namespace, FLOATING[family])
    inside.bind((fixed(bound, family), 7998))
    inside.settimeout(3)
    with inside:
        with icmp.datagram_socket(bound.client, FLOATING[family]) as gone:
            gone.sendto(b"question", (FLOATING[family], 7998))
            _, asker = inside.recvfrom(100)
        inside.sendto(b"an answer for nobody", asker)
        error = icmp.wait_error(inside)
    assert error and (error.type, error.code) == UNREACHABLE_PORT[family]
    assert (error.offender, error.target) == (client(family), client(family))


@FAMILIES
def test_time_exceeded_on_the_host_comes_from_the_floating_ip_as_the_client_knows_it(bound, family):
    # The kernel gives the outer source of any error about a translated packet the address that was
    # called, also where the host itself made it: the client never sees 10.65.0.13.
    error = error_of(bound.client, FLOATING[family], talk.PORT, ttl=2)
    assert error and (error.type, error.code) == TIME_EXCEEDED[family]
    assert (error.offender, error.target) == (FLOATING[family], FLOATING[family])


@FAMILIES
def test_time_exceeded_on_the_router_reaches_the_instance_through_its_floating_ip(bound, family):
    error = error_of(bound.instance.namespace, client(family), talk.PORT, ttl=2)
    assert error and (error.type, error.code) == TIME_EXCEEDED[family]
    assert (error.offender, error.target) == (UPLINK[family], client(family))


class SmallLink:
    """A link with a small MTU on its sending end only, so that only path MTU discovery tells it."""

    def __init__(self, topology, namespace, interface):
        self._topology, self._namespace, self._interface = topology, namespace, interface

    def __enter__(self):
        self._namespace.ip(f"link set {self._interface} mtu {SMALL_MTU}")

    def __exit__(self, *_):
        self._namespace.ip(f"link set {self._interface} mtu 1500")
        # What was learned must not be there for the next test.
        for namespace in (self._topology.client, self._topology.instance.namespace,
                          self._topology.host.namespace, self._topology.router):
            namespace.run("ip", "route", "flush", "cache")
            namespace.run("ip", "-6", "route", "flush", "cache")


def learned_mtu(namespace, target):
    """The path MTU after datagrams of 1400 bytes that must not be fragmented, and who told it."""
    with icmp.datagram_socket(namespace, target, dont_fragment=True) as sock:
        sock.connect((target, 9))
        sock.send(b"x" * 1400)
        error = icmp.wait_error(sock)
        assert error, f"nobody told that 1400 bytes to {target} are too much"
        wait_for(lambda: icmp.path_mtu(sock) < 1500, 2, "the kernel has learned the path MTU")
        return icmp.path_mtu(sock), error


def moves(call, count=200_000):
    """Whether an echo server returns `count` bytes over an open connection."""
    data = b"0123456789abcdef" * (count // 16)
    call.sock.settimeout(10)
    got = 0
    for at in range(0, len(data), 20_000):
        call.sock.sendall(data[at:at + 20_000])
        while got < at + 20_000:
            received = call.sock.recv(65536)
            if not received:
                return False
            got += len(received)
    return got == len(data)


@FAMILIES
def test_a_small_link_to_the_instance_is_found_by_the_clients_path_mtu_discovery(bound, family):
    with SmallLink(bound, bound.host.namespace, bound.instance.tap):
        mtu, error = learned_mtu(bound.client, FLOATING[family])
        assert (mtu, error.info) == (SMALL_MTU, SMALL_MTU)
        assert (error.offender, error.target) == (FLOATING[family], FLOATING[family])
        call = talk.TcpCall(bound.client, FLOATING[family])
        assert moves(call)
        call.close()


@FAMILIES
def test_a_small_link_to_the_client_is_found_by_the_instances_path_mtu_discovery(bound, family):
    with SmallLink(bound, bound.router, "client"):
        call = talk.TcpCall(bound.client, FLOATING[family])
        assert moves(call)
        call.close()
        outward = talk.TcpCall(bound.instance.namespace, client(family))
        assert outward.peer == FLOATING[family] and moves(outward)
        outward.close()
    with SmallLink(bound, bound.router, "client"):
        mtu, error = learned_mtu(bound.instance.namespace, client(family))
        assert (mtu, error.info) == (SMALL_MTU, SMALL_MTU)
        assert (error.offender, error.target) == (UPLINK[family], client(family))


def hops(namespace, target, *options):
    done = namespace.run("traceroute", "-6" if icmp.is_v6(target) else "-4", "-n", "-q", "1",
                         "-w", "2", "-m", "8", *options, target)
    return re.findall(r"^ *\d+ +(\S+)", done.stdout, re.MULTILINE)


@FAMILIES
@pytest.mark.parametrize("method", [[], ["-I"], ["-T", "-p", str(talk.PORT)]],
                         ids=["udp", "icmp", "tcp"])
def test_a_traceroute_to_a_floating_ip_names_it_at_its_end(bound, family, method):
    # Twice: the host's own time exceeded comes from the floating IP, too.
    assert hops(bound.client, FLOATING[family], *method) == [
        ROUTER[family], FLOATING[family], FLOATING[family]]


@FAMILIES
@pytest.mark.parametrize("method", [[], ["-I"]], ids=["udp", "icmp"])
def test_a_traceroute_of_the_instance_names_the_hops_and_the_server(bound, family, method):
    gateway = {4: bound.host.address, 6: bound.host.address6}[family]
    found = hops(bound.instance.namespace, client(family), *method)
    assert found[1:] == [UPLINK[family], client(family)]
    assert found[0] == gateway


@FAMILIES
def test_an_instances_traceroute_to_another_floating_ip_names_it_at_its_end(bound, family):
    other = {4: "172.16.1.4", 6: "2001:db8:1::4"}[family]
    fixed_of_other = bound.neighbour.fixed if family == 4 else bound.neighbour.fixed6
    bound.fipd.add(other, fixed_of_other)
    assert hops(bound.instance.namespace, other)[-1] == other
    bound.fipd.remove(other)
