"""The metadata redirect: an instance's http to 169.254.169.254 reaches a server on the host."""
import contextlib
import http.server
import json
import socket
import struct
import threading

import pytest

import talk
from topology import CLIENT, Topology
from waiting import wait_for

WELL_KNOWN = {4: "169.254.169.254", 6: "fe80::a9fe:a9fe"}
FAMILIES = pytest.mark.parametrize("family", [4, 6], ids=["ipv4", "ipv6"])
SERVED, OTHER = 8775, 8776
# The kernel routes nothing from outside to ::1, translated or not: an address of the host's own.
LISTEN6 = "fd00:a9fe::1"


class MetadataServer:
    """HTTP on a loopback address of a namespace; answers who asked, and for what."""

    def __init__(self, namespace, address, port):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        sock = namespace.socket(family, socket.SOCK_STREAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((address, port))
        sock.listen(16)
        self.asked = []
        asked = self.asked

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                asked.append(self.client_address[0])
                body = json.dumps({"peer": self.client_address[0], "path": self.path}).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer((address, port), Handler, False)
        self._server.socket.close()
        self._server.socket = sock
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self):
        with contextlib.suppress(OSError):
            self._server.shutdown()
            self._server.server_close()


@pytest.fixture(scope="module")
def metadata():
    made = Topology(with_fipd=False)
    host = made.host.namespace
    host.ip(*(f"addr add {WELL_KNOWN[6]}/128 dev {instance.tap} nodad"
              for instance in made.host.instances))
    host.ip(f"addr add {LISTEN6}/128 dev lo")
    made.host.fipd.settings["metadata"] = {"listen": ["127.0.0.1:8775", f"[{LISTEN6}]:8775"],
                                           "interfaces": ["tap*"]}
    made.host.fipd.write_config()
    made.host.fipd.start()
    made.servers = {4: MetadataServer(host, "127.0.0.1", SERVED),
                    6: MetadataServer(host, LISTEN6, SERVED)}
    made.others = {4: MetadataServer(host, "127.0.0.1", OTHER),
                   6: MetadataServer(host, LISTEN6, OTHER)}
    yield made
    for server in (*made.servers.values(), *made.others.values()):
        server.close()
    made.close()


def ask(namespace, family, port=80):
    """What the server answered, or None."""
    address = {4: WELL_KNOWN[4], 6: f"[{WELL_KNOWN[6]}%25eth0]"}[family]
    done = namespace.run("curl", "-s", "-m", "3", f"http://{address}:{port}/latest/meta-data/",
                         check=False)
    return json.loads(done.stdout) if done.returncode == 0 else None


def test_an_instances_metadata_call_reaches_the_server_under_its_fixed_ip(metadata):
    for instance in metadata.host.instances:
        assert ask(instance.namespace, 4) == {"peer": instance.fixed, "path": "/latest/meta-data/"}


def test_a_metadata_call_over_ipv6_reaches_the_server_under_the_instances_own_address(metadata):
    for instance in metadata.host.instances:
        answer = ask(instance.namespace, 6)
        assert answer and answer["path"] == "/latest/meta-data/"
        addresses = instance.namespace.run("ip", "-6", "addr", "show", "dev", "eth0").stdout
        assert f"{answer['peer'].split('%')[0]}/" in addresses


def test_an_instance_with_a_floating_ip_is_seen_under_its_fixed_ip(metadata):
    fipd = metadata.fipd
    fipd.announce("172.16.1.3", metadata.instance.fixed)
    fipd.announce("2001:db8:1::3", metadata.instance.fixed6)
    assert talk.tcp(metadata.instance.namespace, CLIENT[0])["peer"] == "172.16.1.3"
    assert ask(metadata.instance.namespace, 4)["peer"] == metadata.instance.fixed
    assert ask(metadata.instance.namespace, 6)
    fipd.clear()


@FAMILIES
def test_other_ports_of_the_metadata_address_lead_nowhere(metadata, family):
    before = len(metadata.others[family].asked)
    assert ask(metadata.instance.namespace, family, OTHER) is None
    assert ask(metadata.instance.namespace, family, 443) is None
    assert len(metadata.others[family].asked) == before


def test_who_is_not_behind_a_named_interface_gets_nothing(metadata):
    metadata.client.ip("route add 169.254.169.254 via 198.51.100.1")
    metadata.router.ip(f"route add 169.254.169.254 via {metadata.host.address}")
    before = len(metadata.servers[4].asked)
    try:
        assert talk.tcp(metadata.client, WELL_KNOWN[4], 80, timeout=0.7) is None
    finally:
        metadata.client.ip("route del 169.254.169.254")
        metadata.router.ip("route del 169.254.169.254")
    assert len(metadata.servers[4].asked) == before


def checksum(data):
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    total = (total & 0xFFFF) + (total >> 16)
    return ~(total + (total >> 16)) & 0xFFFF


def frame(tap_mac, source, port):
    """A UDP datagram to 127.0.0.1, as an evil instance would put it on its link."""
    payload = b"from an instance"
    udp = struct.pack(">HHHH", 5555, port, 8 + len(payload), 0) + payload
    header = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 1, 0, 64, 17, 0,
                         socket.inet_aton(source), socket.inet_aton("127.0.0.1"))
    header = header[:10] + struct.pack(">H", checksum(header)) + header[12:]
    return bytes.fromhex(tap_mac.replace(":", "")) + b"\x02\0\0\0\0\x01\x08\0" + header + udp


def test_the_hosts_own_loopback_services_are_not_reachable_from_an_instance(metadata):
    host, instance = metadata.host.namespace, metadata.instance
    mac = json.loads(host.run("ip", "-j", "link", "show", instance.tap).stdout)[0]["address"]
    with host.socket(socket.AF_INET, socket.SOCK_DGRAM) as service, \
            instance.namespace.socket(socket.AF_PACKET, socket.SOCK_RAW) as wire:
        service.bind(("127.0.0.1", 5353))
        service.settimeout(1)
        wire.bind(("eth0", 0))
        for _ in range(3):
            wire.send(frame(mac, instance.fixed, 5353))
        with pytest.raises(TimeoutError):
            service.recv(100)
        # The service itself is well.
        with host.socket(socket.AF_INET, socket.SOCK_DGRAM) as neighbour:
            neighbour.sendto(b"from the host", ("127.0.0.1", 5353))
        assert service.recv(100) == b"from the host"


def test_a_new_instance_is_served_as_soon_as_its_tap_is_there(metadata):
    instance = metadata.host.add_instance(15, "tap0newcomer")
    try:
        wait_for(lambda: ask(instance.namespace, 4), 10, "the newcomer gets its metadata")
        assert ask(instance.namespace, 4)["peer"] == instance.fixed
    finally:
        instance.unplug()


def test_without_the_setting_nothing_is_redirected(metadata):
    fipd = metadata.fipd
    settings = fipd.settings.pop("metadata")
    fipd.write_config()
    assert fipd.ctl("reload").code in (0, 9)
    try:
        wait_for(lambda: ask(metadata.neighbour.namespace, 4) is None, 5, "nothing is redirected")
    finally:
        fipd.settings["metadata"] = settings
        fipd.write_config()
        assert fipd.ctl("reload").code in (0, 9)
    wait_for(lambda: ask(metadata.neighbour.namespace, 4), 5, "it is redirected again")


def test_the_ipv6_loopback_is_refused_as_a_listener_with_a_remedy(metadata):
    fipd = metadata.fipd
    listen = fipd.settings["metadata"]["listen"]
    fipd.settings["metadata"]["listen"] = ["[::1]:8775"]
    fipd.write_config()
    code, said = fipd.check()
    fipd.settings["metadata"]["listen"] = listen
    fipd.write_config()
    assert code != 0 and "::1" in said and "metadata.listen" in said, said
