"""Live migration end to end: Neutron's port bindings move from host to host as Nova moves them, while a
client holds a connection to the floating IP and a probe asks it a thousand times a second."""
import contextlib

import pytest

import arrival
import kernel
import talk
from neutron_cloud import NeutronCloud
from neutron_server import Refused
from probe import Probe
from waiting import stays, wait_for

pytestmark = pytest.mark.slow

HEAD_START = 300  # answers of the probe before anything moves


@pytest.fixture(scope="module")
def shared():
    made = NeutronCloud()
    yield made
    made.close()


@pytest.fixture
def cloud(shared):
    yield shared
    shared.clear()


class Migrating:
    """A server of the first host, with a floating IP that a client talks to."""

    def __init__(self, cloud):
        self.cloud = cloud
        self.source, self.target = cloud.hosts
        self.server = cloud.boot(self.source)
        self.fip = cloud.floating_ip(self.server)
        self.address = self.fip["floating_ip_address"]
        cloud.serves(self.fip, self.server)
        self.call = talk.TcpCall(cloud.client, self.address)
        self.probe = Probe(cloud.lab, cloud.client, self.address)
        wait_for(lambda: self.probe.answers() > HEAD_START, 20, "the probe runs")

    def bindings(self, method, end="", body=None, undo=None):
        path = f"/v2.0/ports/{self.server.port['id']}/bindings{end}"
        return self.cloud.neutron.patiently(method, path, body, undo)

    def prepare(self):
        """Nova's pre_live_migration: a tap on the target, and a binding that is not active."""
        self.server.instance.attach(self.target, "eth1")
        self.server.namespace.ip("link set eth1 up")  # QEMU waits there, with the tap open
        self.bindings("POST", body={"binding": {"host": self.target.name}}, undo=self.take_back)
        wait_for(lambda: self.translated_at(self.target), 20, "the target translates")

    def take_back(self):
        with contextlib.suppress(Refused):
            self.bindings("DELETE", f"/{self.target.name}")

    def translated_at(self, host):
        return kernel.translations(host.namespace).get(self.address) == self.server.fixed

    def metric_at(self, host):
        return kernel.routes(host.namespace).get(self.address, (None, None))[1]

    def close(self):
        self.call.close()
        self.server.delete()


@pytest.fixture
def migrating(cloud):
    with contextlib.closing(Migrating(cloud)) as made:
        yield made


def test_a_connection_and_a_probe_survive_the_migration(migrating, record_property):
    cloud, source, target = migrating.cloud, migrating.source, migrating.target
    migrating.prepare()
    stays(lambda: cloud.next_hop(migrating.address) == source.address, 0.5,
          "the target is prepared, and attracts nothing")
    assert migrating.metric_at(target) is None
    # The last of its memory is copied: it stops here and goes on there, and Nova says so.
    routes = kernel.Recorder(cloud.lab, cloud.topology.router, "ip")
    migrating.server.switch(target)
    migrating.bindings("PUT", f"/{target.name}/activate")
    wait_for(lambda: cloud.next_hop(migrating.address) == target.address, 20, "the router follows")
    assert migrating.metric_at(target) == 512, "announced with the metric of taking over"
    migrating.server.unplug(source)
    migrating.bindings("DELETE", f"/{source.name}")
    cloud.serves(migrating.fip, migrating.server)
    assert migrating.call.say("through all of it")
    probe = migrating.probe.finish()
    record_property("lost", probe.lost)
    print(f"lost {probe.lost} of {probe.sent}, longest gap {probe.longest_gap * 1000:.0f} ms")
    # The instance says nothing on its tap: it answers nobody until Neutron has been told.
    assert probe.longest_gap < 5 and probe.received > HEAD_START
    gone = [line for line in routes.stop() if migrating.address in line and "Deleted" in line]
    assert not gone, "the router is never without a route"
    wait_for(lambda: migrating.metric_at(target) == 1024, 20, "normal after the settling time")
    cloud.has_status(migrating.fip, "ACTIVE")


def test_the_target_announces_when_the_instance_is_heard_before_neutron_says_so(migrating):
    """As it is with QEMU: it announces the guest by RARP, and the source's tap vanishes, before Nova
    activates the new binding."""
    cloud, source, target = migrating.cloud, migrating.source, migrating.target
    migrating.prepare()
    arrival.gratuitous_arp(migrating.server.namespace, "10.65.0.250", "eth1")
    stays(lambda: cloud.next_hop(migrating.address) == source.address, 0.3, "a foreign address")
    migrating.server.switch(target)
    arrival.rarp(migrating.server.namespace, "eth1")
    wait_for(lambda: cloud.next_hop(migrating.address) == target.address, 20, "the router follows")
    migrating.server.unplug(source)
    assert migrating.metric_at(target) == 512
    assert "taken over from compute1" in target.fipd.shown(migrating.address)["reason"]
    assert migrating.call.say("before Neutron knows")
    migrating.bindings("PUT", f"/{target.name}/activate")
    migrating.bindings("DELETE", f"/{source.name}")
    cloud.serves(migrating.fip, migrating.server)
    wait_for(lambda: migrating.metric_at(target) == 1024, 20, "normal after the settling time")
    probe = migrating.probe.finish()
    print(f"lost {probe.lost} of {probe.sent}, longest gap {probe.longest_gap * 1000:.0f} ms")
    assert probe.longest_gap < 1, "no API call is waited for"


def test_a_migration_that_is_given_up_leaves_all_as_it_was(migrating):
    cloud, source, target = migrating.cloud, migrating.source, migrating.target
    migrating.prepare()
    migrating.bindings("DELETE", f"/{target.name}")
    wait_for(lambda: not migrating.translated_at(target), 20, "the target forgets it")
    migrating.server.unplug(target)
    cloud.serves(migrating.fip, migrating.server)
    assert migrating.metric_at(source) == 1024
    assert migrating.call.say("nothing happened")
    probe = migrating.probe.finish()
    assert probe.lost <= 1, f"lost {probe.lost} of {probe.sent}"  # the one under way at the end
