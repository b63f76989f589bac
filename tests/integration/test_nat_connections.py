"""Connections follow the binding: what a change must end ends, everything else lives."""
import json
import socket
import statistics
import time

import pytest

import conntrack
import talk
from topology import CLIENT
from waiting import wait_for

A = {4: "172.16.1.3", 6: "2001:db8:1::3"}
B = {4: "172.16.1.4", 6: "2001:db8:1::4"}
FAMILIES = pytest.mark.parametrize("family", [4, 6], ids=["ipv4", "ipv6"])
MANY = 100_000


def fixed(instance, family):
    return instance.fixed if family == 4 else instance.fixed6


def client(family):
    return CLIENT[family == 6]


class Witnesses:
    """Open connections that no change of A may end."""

    def __init__(self, topology, family):
        one, other = topology.instance, topology.neighbour
        topology.fipd.announce(B[family], fixed(other, family))
        topology.wait_routed(B[family])
        calls = {
            "to the other floating IP": (topology.client, B[family]),
            "to the instance's fixed IP": (topology.client, fixed(one, family)),
            "from instance to instance by fixed IP": (one.namespace, fixed(other, family)),
            "back": (other.namespace, fixed(one, family)),
            "from the other instance outwards": (other.namespace, client(family)),
            "from the host to the instance": (topology.host.namespace, fixed(one, family)),
        }
        self._calls = {name: talk.TcpCall(*where) for name, where in calls.items()}
        self._datagrams = talk.UdpCall(topology.client, B[family])
        assert self._datagrams.ask()

    def assert_alive(self):
        dead = [name for name, call in self._calls.items() if not call.say()]
        assert not dead, f"ended: {dead}"
        assert self._datagrams.ask()["server"] == "instance14"

    def close(self):
        for call in [*self._calls.values(), self._datagrams]:
            call.close()


class Victims:
    """Connections of A: from outside, from the host, from its own instance, and outwards."""

    def __init__(self, topology, family):
        one, other = topology.instance, topology.neighbour
        self._calls = {
            "from the client": talk.TcpCall(topology.client, A[family]),
            "from the host": talk.TcpCall(topology.host.namespace, A[family]),
            "from the other instance": talk.TcpCall(other.namespace, A[family]),
            "from itself": talk.TcpCall(one.namespace, A[family]),
            "outwards": talk.TcpCall(one.namespace, client(family)),
        }
        assert self._calls["outwards"].peer == A[family]
        self._outwards = talk.UdpCall(one.namespace, client(family))
        assert self._outwards.ask()["peer"] == A[family]

    def wait_dead(self):
        for name, call in self._calls.items():
            call.sock.settimeout(0.5)
            wait_for(lambda call=call: not call.say(), 10, f"the connection {name} ends")

    def peer_of_datagrams(self):
        """Under which address the old outbound UDP socket is seen now."""
        return (self._outwards.ask() or {}).get("peer")

    def close(self):
        for call in [*self._calls.values(), self._outwards]:
            call.close()


@pytest.fixture(params=[4, 6], ids=["ipv4", "ipv6"])
def bound(request, topology):
    topology.fipd.announce(A[request.param], topology.instance.fixed if request.param == 4
                           else topology.instance.fixed6)
    topology.wait_routed(A[request.param])
    witnesses = Witnesses(topology, request.param)
    victims = Victims(topology, request.param)
    yield topology, request.param, victims, witnesses
    victims.close(), witnesses.close()


def test_a_removal_ends_every_connection_of_the_floating_ip_and_no_other(bound):
    topology, family, victims, witnesses = bound
    topology.fipd.remove(A[family])
    topology.fipd.wait_state(A[family], None, 15)
    victims.wait_dead()
    witnesses.assert_alive()
    assert victims.peer_of_datagrams() == fixed(topology.instance, family)
    assert conntrack.translated(topology.host.namespace, A[family]) == []


def test_a_retarget_ends_every_connection_of_the_floating_ip_and_no_other(bound):
    topology, family, victims, witnesses = bound
    topology.fipd.add(A[family], fixed(topology.neighbour, family), "--replace")
    victims.wait_dead()
    witnesses.assert_alive()
    # The instance that lost it speaks under its own address from now on.
    assert victims.peer_of_datagrams() == fixed(topology.instance, family)
    assert talk.tcp(topology.client, A[family])["server"] == "instance14"


def test_a_change_that_is_none_ends_nothing(bound):
    topology, family, victims, witnesses = bound
    topology.fipd.add(A[family], fixed(topology.instance, family))
    topology.fipd.restart()
    topology.fipd.quiet()
    witnesses.assert_alive()
    for call in victims._calls.values():
        assert call.say()


@FAMILIES
def test_another_primary_ends_the_outbound_flows_and_not_the_inbound(topology, family):
    """A second, lower floating IP takes over the outbound direction of the instance."""
    topology.fipd.announce(B[family], fixed(topology.instance, family))
    topology.wait_routed(B[family])
    inbound = talk.TcpCall(topology.client, B[family])
    outbound = talk.TcpCall(topology.instance.namespace, client(family))
    assert outbound.peer == B[family]
    topology.fipd.announce(A[family], fixed(topology.instance, family))
    assert talk.tcp(topology.instance.namespace, client(family))["peer"] == A[family]
    assert inbound.say()
    # B is still the instance's: what it has begun under B may go on.
    assert outbound.say()
    inbound.close(), outbound.close()


def put(fipd, floating, address):
    """One association over the API, without the start of a program: how long it took."""
    body = json.dumps({"floating": floating, "fixed": address}).encode()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.connect(fipd.socket)
        start = time.monotonic()
        sock.sendall(f"PUT /v1/floating-ips/{floating}?replace=true HTTP/1.1\r\nHost: fipd\r\n"
                     "Content-Type: application/json\r\nConnection: close\r\n"
                     f"Content-Length: {len(body)}\r\n\r\n".encode() + body)
        answer = sock.recv(65536)
        took = time.monotonic() - start
    assert answer.startswith(b"HTTP/1.1 20"), answer
    return took


@pytest.mark.slow
def test_a_full_connection_table_delays_no_change_and_the_flush_finds_its_own(topology):
    host, fipd = topology.host.namespace, topology.fipd
    fipd.announce(A[4], topology.instance.fixed)
    topology.wait_routed(A[4])
    targets = [topology.neighbour.fixed, topology.instance.fixed]
    conntrack.fill(host, MANY)
    assert conntrack.count(host) >= MANY
    call = talk.TcpCall(topology.client, A[4])
    # The measure: one walk of the table by conntrack, as a change would have to wait for it.
    start = time.monotonic()
    host.run("conntrack", "-D", "-d", "203.0.113.1", check=False)
    walk = time.monotonic() - start
    # Every one of these leaves connections to be flushed, while the flush before is under way.
    took = [put(fipd, A[4], targets[turn % 2]) for turn in range(21)]
    assert statistics.median(took) < walk, f"changes {took}, one walk {walk:.3f} s"
    wait_for(lambda: not call.say(), 10, "the connection of the moved address is flushed")
    call.close()
    # Removal: withdrawn and untranslated as ever, and its entries go in their time.
    call = talk.TcpCall(topology.client, A[4])
    assert conntrack.translated(host, A[4])
    fipd.remove(A[4])
    fipd.wait_state(A[4], None, 15)
    wait_for(lambda: not conntrack.translated(host, A[4]), 15, "its entries are gone")
    assert not call.say()
    assert conntrack.count(host) >= MANY
    call.close()
def test_kept_connections_outlive_the_removal(topology):
    fipd = topology.fipd
    fipd.settings["nat"]["keep_connections_on_remove"] = True
    fipd.write_config()
    assert fipd.ctl("reload").code in (0, 9)
    try:
        fipd.announce(A[4], topology.instance.fixed)
        # A route of the operator's: else the packets would not come here any more.
        topology.router.ip(f"route add {A[4]} via {topology.host.address} metric 5000")
        topology.wait_routed(A[4])
        call, out = (talk.TcpCall(topology.client, A[4]),
                     talk.TcpCall(topology.instance.namespace, CLIENT[0]))
        fipd.remove(A[4])
        fipd.wait_state(A[4], None, 15)
        fipd.quiet()
        assert call.say() and out.say()
        assert talk.tcp(topology.client, A[4], timeout=0.5) is None
        # Only a removal: who moves it away does not share it.
        fipd.announce(A[4], topology.instance.fixed)
        fresh = talk.TcpCall(topology.client, A[4])
        fipd.add(A[4], topology.neighbour.fixed, "--replace")
        wait_for(lambda: not fresh.say(), 5, "a retarget ends its connections all the same")
        for each in (call, out, fresh):
            each.close()
    finally:
        topology.router.ip(f"route del {A[4]} via {topology.host.address} metric 5000")
        del fipd.settings["nat"]["keep_connections_on_remove"]
        fipd.write_config()
        assert fipd.ctl("reload").code in (0, 9)
