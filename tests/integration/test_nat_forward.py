"""Port forwarding: one floating IP, ports to ports of several instances."""
import json

import pytest

import kernel
import sctp
import talk
from daemon import BAD_INPUT, CONFLICT, OK
from topology import CLIENT
from waiting import wait_for

A = {4: "172.16.1.3", 6: "2001:db8:1::3"}
B = {4: "172.16.1.4", 6: "2001:db8:1::4"}
FAMILIES = pytest.mark.parametrize("family", [4, 6], ids=["ipv4", "ipv6"])
SERVED = {13: [8443, 8080, 5353], 14: [8443, 6000, 6001, 6002]}


@pytest.fixture(scope="module", autouse=True)
def servers(shared_topology):
    made = []
    for instance in shared_topology.host.instances:
        for port in SERVED[int(instance.name[-2:])]:
            made.append(talk.EchoServer(instance.namespace, f"{instance.name}:{port}", port))
    yield
    for server in made:
        server.close()


def fixed(instance, family):
    return instance.fixed if family == 4 else instance.fixed6


def target(instance, family, port):
    address = fixed(instance, family)
    return f"[{address}]:{port}" if family == 6 else f"{address}:{port}"


def client(family):
    return CLIENT[family == 6]


def forwards(topology, family):
    """tcp/443 and udp/53 to one instance, tcp/8080 to the other, and a range of UDP."""
    one, other = topology.instance, topology.neighbour
    return [f"tcp/443={target(one, family, 8443)}", f"udp/53={target(one, family, 5353)}",
            f"tcp/80={target(other, family, 8443)}",
            f"udp/5000-5002={target(other, family, '6000-6002')}"]


def bind(fipd, floating, forwarded, *words):
    document = json.dumps({"floating_ips": [{"floating": floating, "forwards": forwarded}]})
    answer = fipd.ctl("apply", "-f", "-", *words, stdin=document)
    assert answer.code == OK, answer


def announce(topology, family, forwarded=None):
    bind(topology.fipd, A[family], forwarded or forwards(topology, family), "--wait=announced")
    topology.wait_routed(A[family])
    return A[family]


@FAMILIES
def test_each_port_reaches_its_instance_and_the_rest_nobody(topology, family):
    floating = announce(topology, family)
    for call, port, server in ((talk.tcp, 443, "instance13:8443"), (talk.udp, 53, "instance13:5353"),
                               (talk.tcp, 80, "instance14:8443"),
                               (talk.udp, 5000, "instance14:6000"),
                               (talk.udp, 5001, "instance14:6001"),
                               (talk.udp, 5002, "instance14:6002")):
        answer = call(topology.client, floating, port)
        assert answer and (answer["server"], answer["peer"]) == (server, client(family)), port
    assert talk.tcp(topology.client, floating, 8443, timeout=0.5) is None
    assert talk.tcp(topology.client, floating, 53, timeout=0.5) is None
    assert talk.udp(topology.client, floating, 443) is None
    assert talk.udp(topology.client, floating, 5003) is None


@FAMILIES
def test_sctp_is_forwarded_with_its_checksums(topology, family):
    floating = announce(topology, family, [f"sctp/36412={target(topology.instance, family, 7777)}"])
    seen = sctp.handshake(topology.client, floating, 36412, topology.instance.namespace, 7777)
    assert [(packet.peer, packet.source_port, packet.chunk) for packet in seen] == [
        (client(family), 33000, sctp.INIT), (floating, 36412, sctp.INIT_ACK),
        (client(family), 33000, sctp.COOKIE_ECHO), (floating, 36412, sctp.COOKIE_ACK)]


@FAMILIES
def test_the_host_and_every_instance_reach_a_forward_as_the_client_does(topology, family):
    floating = announce(topology, family)
    one, other = topology.instance, topology.neighbour
    for caller in (topology.host.namespace, one.namespace, other.namespace):
        assert talk.tcp(caller, floating, 443)["server"] == "instance13:8443"
        assert talk.udp(caller, floating, 5001)["server"] == "instance14:6001"
    # To itself under the floating IP, else it would answer itself directly.
    assert talk.tcp(one.namespace, floating, 443)["peer"] == floating
    assert talk.udp(other.namespace, floating, 5001)["peer"] == floating


@FAMILIES
def test_instances_behind_forwards_call_out_under_their_own_addresses(topology, family):
    announce(topology, family)
    for instance in (topology.instance, topology.neighbour):
        assert talk.tcp(instance.namespace, client(family))["peer"] == fixed(instance, family)


@FAMILIES
def test_a_changed_and_a_removed_forward_end_their_own_connections_only(topology, family):
    floating = announce(topology, family)
    web, shop = (talk.TcpCall(topology.client, floating, port) for port in (443, 80))
    names = talk.UdpCall(topology.client, floating, 53)
    assert names.ask()["server"] == "instance13:5353"
    # 443 moves to the other instance, the rest stays.
    moved = [f"tcp/443={target(topology.neighbour, family, 8443)}", *forwards(topology, family)[1:]]
    bind(topology.fipd, floating, moved)
    wait_for(lambda: (talk.tcp(topology.client, floating, 443) or {}).get("server")
             == "instance14:8443", 5, "443 reaches the other instance")
    wait_for(lambda: not web.say(), 5, "the old connection to 443 ends")
    assert shop.say() and names.ask()["server"] == "instance13:5353"
    fresh = talk.TcpCall(topology.client, floating, 443)
    # 80 goes.
    bind(topology.fipd, floating, [moved[0], moved[1]])
    wait_for(lambda: not shop.say(), 5, "the connection to 80 ends")
    assert talk.tcp(topology.client, floating, 80, timeout=0.5) is None
    assert fresh.say() and names.ask()["server"] == "instance13:5353"
    assert topology.is_routed(floating)
    for call in (web, shop, names, fresh):
        call.close()


def test_another_fixed_port_of_the_same_instance_is_another_target(topology):
    floating = announce(topology, 4, ["tcp/443=10.65.0.13:8443", "tcp/80=10.65.0.13:8443"])
    web, shop = (talk.TcpCall(topology.client, floating, port) for port in (443, 80))
    bind(topology.fipd, floating, ["tcp/443=10.65.0.13:8080", "tcp/80=10.65.0.13:8443"])
    wait_for(lambda: not web.say(), 5, "the connection to 443 ends")
    assert talk.tcp(topology.client, floating, 443)["server"] == "instance13:8080"
    assert shop.say()
    web.close(), shop.close()


@FAMILIES
def test_an_instance_has_a_floating_ip_of_its_own_beside_a_forward(topology, family):
    one, other = topology.instance, topology.neighbour
    shared = announce(topology, family)
    topology.fipd.announce(B[family], fixed(one, family))
    topology.wait_routed(B[family])
    own, web = talk.TcpCall(topology.client, B[family]), talk.TcpCall(topology.client, shared, 443)
    assert talk.tcp(one.namespace, client(family))["peer"] == B[family]
    out = talk.TcpCall(one.namespace, client(family))
    # Each floating IP answers as itself: a call to the forward is not answered from the 1:1.
    assert talk.udp(topology.client, shared, 53)["server"] == "instance13:5353"
    assert talk.tcp(one.namespace, shared, 443)["peer"] in (shared, B[family])
    assert talk.tcp(other.namespace, shared, 443)["server"] == "instance13:8443"
    topology.fipd.remove(shared)
    topology.fipd.wait_state(shared, None, 15)
    assert not web.say()
    assert own.say() and out.say()
    assert talk.tcp(one.namespace, client(family))["peer"] == B[family]
    for call in (own, web, out):
        call.close()


def test_forwards_come_by_fipctl_and_are_shown(topology):
    answer = topology.fipd.ctl("add", A[4], "--forward", "tcp/443=10.65.0.13:8443", "--forward",
                               "udp/5000-5002=10.65.0.14:6000-6002", "--wait=announced")
    assert answer.code == OK, answer
    topology.wait_routed(A[4])
    assert talk.tcp(topology.client, A[4], 443)["server"] == "instance13:8443"
    assert talk.udp(topology.client, A[4], 5002)["server"] == "instance14:6002"
    shown = topology.fipd.shown(A[4])
    assert shown["forwards"] == ["tcp/443=10.65.0.13:8443", "udp/5000-5002=10.65.0.14:6000-6002"]
    assert "fixed" not in shown
    assert "tcp/443" in topology.fipd.ctl("show", A[4]).out
    # Another target without --replace is a conflict, as it is for a 1:1.
    again = ("add", A[4], "--forward", "tcp/443=10.65.0.14:8443")
    assert topology.fipd.ctl(*again).code == CONFLICT
    assert topology.fipd.ctl(*again, "--replace").code == OK
    assert talk.tcp(topology.client, A[4], 443)["server"] == "instance14:8443"


def test_one_forward_comes_and_goes_without_the_others(topology):
    announce(topology, 4, ["tcp/443=10.65.0.13:8443"])
    web = talk.TcpCall(topology.client, A[4], 443)
    assert topology.fipd.ctl("forward", A[4], "add", "tcp/80=10.65.0.14:8443").code == OK
    shop = talk.TcpCall(topology.client, A[4], 80)
    assert shop.server == "instance14:8443" and web.say()
    assert topology.fipd.ctl("forward", A[4], "rm", "tcp/80").code == OK
    wait_for(lambda: not shop.say(), 5, "the connection of the removed forward ends")
    assert web.say()
    web.close(), shop.close()


def test_forwards_come_by_file(topology):
    fipd = topology.fipd
    path = f"{fipd.binding_files}/forwards.toml"
    with open(path, "w") as out:
        out.write(f'[[floating_ip]]\nfloating = "{A[4]}"\n'
                  'forwards = ["tcp/443=10.65.0.13:8443", "tcp/80=10.65.0.14:8443"]\n')
    try:
        fipd.wait_state(A[4], "announced", 10)
        topology.wait_routed(A[4])
        assert talk.tcp(topology.client, A[4], 443)["server"] == "instance13:8443"
        assert talk.tcp(topology.client, A[4], 80)["server"] == "instance14:8443"
    finally:
        fipd.remove_file("forwards.toml")
    fipd.wait_state(A[4], None, 15)
    assert kernel.translations(topology.host.namespace) == {}


WRONG = {
    "the_same_port_twice": ["tcp/443=10.65.0.13:1", "tcp/443=10.65.0.14:1"],
    "an_overlap": ["udp/5000-5010=10.65.0.13:5000-5010", "udp/5010=10.65.0.14:1"],
    "unequal_ranges": ["udp/5000-5010=10.65.0.13:5000-5009"],
    "another_family": ["tcp/443=[fd00:65::13]:443"],
    "an_unknown_protocol": ["icmp/1=10.65.0.13:1"],
    "too_many_ports": ["tcp/1000-5096=10.65.0.13:1000-5096"],
    "a_port_beyond_65535": ["tcp/65000-65536=10.65.0.13:1-537"],
}


@pytest.mark.parametrize("forwarded", WRONG.values(), ids=WRONG.keys())
def test_forwards_that_cannot_be_are_refused_whole(topology, forwarded):
    words = [word for each in forwarded for word in ("--forward", each)]
    answer = topology.fipd.ctl("add", A[4], *words)
    assert answer.code == BAD_INPUT, answer
    assert topology.fipd.rows() == []


def test_4096_ports_are_one_transaction_and_a_restart_writes_nothing(topology):
    host, fipd = topology.host.namespace, topology.fipd
    bind(fipd, B[4], ["tcp/443=10.65.0.13:8443"])
    before = fipd.ctl("status", "--json").json["counters"]["nat_transactions"]
    bind(fipd, A[4], ["tcp/1000-4999=10.65.0.13:1000-4999", "udp/1-96=10.65.0.14:1-96"])
    after = fipd.ctl("status", "--json").json["counters"]["nat_transactions"]
    assert after - before == 1
    assert talk.tcp(host, B[4], 443)["server"] == "instance13:8443"
    assert len(host.run("nft", "list", "map", "inet", "fipd", "forward").stdout.split(" : ")) > 4096
    watch = kernel.WriteWatch(topology.lab, host)
    fipd.restart(kill=True)
    fipd.quiet(0.5)
    assert watch.stop() == []


def test_the_route_of_forwards_waits_until_one_of_their_instances_has_an_interface(topology):
    topology.neighbour.lower_tap()
    try:
        bind(topology.fipd, A[4], ["tcp/80=10.65.0.14:8443"])
        topology.fipd.wait_state(A[4], "waiting")
        bind(topology.fipd, A[4], ["tcp/80=10.65.0.14:8443", "tcp/443=10.65.0.13:8443"])
        topology.fipd.wait_state(A[4], "announced")
        assert kernel.routes(topology.host.namespace)[A[4]] == (topology.instance.tap, 1024)
    finally:
        topology.neighbour.raise_tap()
