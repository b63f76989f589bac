"""A new version takes the table of the one before over in one transaction, under traffic."""
import os
import threading
import time

import pytest

import kernel
import talk
from topology import CLIENT, Topology
from waiting import wait_for

SKELETON = os.path.join(os.path.dirname(os.path.abspath(__file__)), "skeletons", "fipd-0.1.0.nft")
A, A6, B = "172.16.1.3", "2001:db8:1::3", "172.16.1.4"
PAIRS = 1000


def bindings(topology):
    """1,000 pairs of one instance, and those that carry the traffic."""
    made = [(f"172.20.{number // 250}.{number % 250}", f"10.66.{number // 250}.{number % 250}")
            for number in range(PAIRS)]
    return made + [(A, topology.instance.fixed), (B, topology.neighbour.fixed),
                   (A6, topology.instance.fixed6)]


def with_elements(pairs):
    """The old skeleton as nft printed it, with the pairs as the old version wrote them."""
    with open(SKELETON) as skeleton:
        text = skeleton.read()
    for suffix, belongs in (("", lambda address: ":" not in address),
                            ("6", lambda address: ":" in address)):
        mine = [pair for pair in pairs if belongs(pair[0])]
        text += (f"add element inet fipd fixed_by_floating{suffix} {{ "
                 + ", ".join(f"{floating} : {fixed}" for floating, fixed in mine) + " }\n"
                 f"add element inet fipd floating_by_fixed{suffix} {{ "
                 + ", ".join(f"{fixed} : {floating}" for floating, fixed in mine) + " }\n")
    return text


class NewFlows:
    """One UDP flow after the other through a floating IP; whoever is not answered is counted."""

    def __init__(self, namespace, address):
        self.asked = self.lost = 0
        self._where = namespace, address
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        while not self._ending.is_set():
            call = talk.UdpCall(*self._where, timeout=2)
            self.asked += 1
            self.lost += call.ask(tries=1) is None
            call.close()

    def stop(self):
        self._ending.set()
        self._thread.join()


@pytest.fixture
def topology():
    """The daemon is not started yet."""
    made = Topology(with_fipd=False)
    yield made
    made.close()


def test_the_previous_versions_table_is_replaced_in_one_transaction_and_nothing_is_lost(topology):
    host, fipd = topology.host.namespace, topology.fipd
    pairs = bindings(topology)
    fipd.write_bindings("all.toml", pairs)
    host.ip("route add 10.66.0.0/16 dev " + topology.instance.tap)
    # Everything is announced by the new version, then the old one's table stands in its place.
    fipd.start()
    for floating in (A, A6, B):
        fipd.wait_state(floating, "announced", 20)
        topology.wait_routed(floating)
    fipd.stop()
    wanted = kernel.chains(host)
    host.nft("delete table inet fipd\n" + with_elements(pairs))
    assert len(kernel.translations(host)) == len(pairs)

    calls = [talk.TcpCall(topology.client, A), talk.TcpCall(topology.client, A6),
             talk.TcpCall(topology.instance.namespace, CLIENT[0]),
             talk.TcpCall(topology.host.namespace, B),
             talk.TcpCall(topology.instance.namespace, A)]
    pings = topology.lab.start("ping", ["ping", "-n", "-q", "-i", "0.005", "-c", "1200", "-W", "2",
                                        A], topology.client)
    flows = [NewFlows(topology.client, B), NewFlows(topology.neighbour.namespace, CLIENT[0])]
    record = kernel.Recorder(topology.lab, host, "nft")
    time.sleep(0.3)
    fipd.start()
    for floating in (A, A6, B):
        fipd.wait_state(floating, "announced", 20)
    time.sleep(0.3)
    record.stop()
    for flow in flows:
        flow.stop()
    wait_for(lambda: "received" in pings.text() or not pings.alive(), 30, "the pings end")

    assert " 0% packet loss" in pings.text(), pings.text()[-300:]
    for flow in flows:
        assert flow.asked > 50 and flow.lost == 0, f"{flow.lost} of {flow.asked} new flows lost"
    assert all(call.say("after the upgrade") for call in calls)
    # One generation, but for the recorder's own two.
    generations = [line for line in record._process.text().splitlines()
                   if line.startswith("# new generation") and "(nft)" not in line]
    assert len(generations) == 1, generations
    assert kernel.chains(host) == wanted and len(kernel.translations(host)) == len(pairs)
    fresh = talk.tcp(topology.client, A)
    assert fresh["server"] == "instance13"
    for call in calls:
        call.close()
