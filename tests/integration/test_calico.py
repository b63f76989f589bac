"""The source "calico" with a real etcd and endpoints in the form in which networking-calico writes
them, and with what that writer is known to do."""
import time

import kernel
from etcd_cloud import SAVED, EtcdCloud
from waiting import wait_for

ROOT = "/calico/resources/v3/projectcalico.org/workloadendpoints"
SETTLE = 1.0  # seconds


def doubled(part):
    return part.replace("-", "--")


class Port:
    """A port of an instance, as Neutron and Calico name it."""

    def __init__(self, number, host="compute1", fixed="10.65.0.13", tap="tap9a7e0868-da"):
        self.device = f"6e0fb0c3-0000-4f4e-8d5c-{number:012d}"
        self.port = f"9a7e0868-da0f-4a2d-9f1e-{number:012d}"
        self.host, self.fixed, self.tap = host, fixed, tap

    def key(self, namespace="openstack"):
        name = "-".join(map(doubled, (self.host, "openstack", self.device, self.port)))
        return f"{ROOT}/{namespace}/{name}"

    def value(self, *floating, fixed=None, networks=None, node=None, labels=None):
        networks = [f"{self.fixed}/32"] if networks is None else networks
        nats = [{"internalIP": fixed or self.fixed, "externalIP": each} for each in floating]
        return {
            "kind": "WorkloadEndpoint", "apiVersion": "projectcalico.org/v3",
            "metadata": {"name": self.key().rsplit("/", 1)[1], "namespace": "openstack",
                         "labels": {"projectcalico.org/orchestrator": "openstack",
                                    **(labels or {})}},
            "spec": {"orchestrator": "openstack", "workload": self.device, "node": node or self.host,
                     "endpoint": self.port, "interfaceName": self.tap, "mac": "fa:16:3e:00:00:13",
                     "ipv4Gateway": "10.65.0.1", "ipNetworks": networks,
                     **({"ipNATs": nats} if nats else {})}}

    def migration_key(self, namespace="openstack"):
        """Of a LiveMigration to this port's host: it has the name of the target's endpoint."""
        return self.key(namespace).replace("/workloadendpoints/", "/livemigrations/")

    def migration(self, source, target):
        """Between two hosts, as networking-calico's live_migration_spec() has it."""
        def end(host):
            return {"workloadEndpoint": {
                "hostname": host, "orchestratorID": "openstack",
                "workloadID": f"openstack/{self.device}", "endpointID": self.port}}
        return {"kind": "LiveMigration", "apiVersion": "projectcalico.org/v3",
                "metadata": {"name": self.key().rsplit("/", 1)[1], "namespace": "openstack"},
                "spec": {"source": end(source), "target": end(target)}}

    def origin(self):
        return f"calico:{self.device}/{self.port}"


class Cloud(EtcdCloud):
    SOURCE = "calico"

    def __init__(self, region=""):
        super().__init__(enabled=True, settle=f"{int(SETTLE * 1000)}ms", region=region)
        self.tap = self.topology.host.instances[0].tap
        self.namespace = f"openstack-region-{region}" if region else "openstack"

    def put(self, port, *floating, **more):
        return self.etcd.put(port.key(self.namespace), port.value(*floating, **more))

    def delete(self, port):
        assert self.etcd.delete(port.key(self.namespace)) == 1

    def clear(self):
        self.etcd.delete(ROOT, prefix=True)
        self.wait_served({})


def test_an_endpoints_floating_ips_are_routed_and_go_one_by_one(running):
    port = Port(1, tap=running.tap)
    running.put(port, "172.16.1.3", "172.16.1.4")
    running.topology.wait_routed("172.16.1.3", 15)
    running.topology.wait_routed("172.16.1.4", 15)
    row = running.fipd.shown("172.16.1.3")
    assert (row["source"], row["port"], row["fixed"]) == (port.origin(), port.port, "10.65.0.13")
    running.put(port, "172.16.1.4")
    running.topology.wait_unrouted("172.16.1.3", 15)
    running.delete(port)
    running.topology.wait_unrouted("172.16.1.4", 15)
    running.wait_served({})


def test_only_this_hosts_endpoints_are_ours(running):
    running.put(Port(1, host="compute1-openstack-x"), "172.16.1.5")
    running.put(Port(2, host="compute10"), "172.16.1.6")
    # Under our prefix, and yet another's by its own word.
    running.put(Port(3), "172.16.1.7", node="compute1-openstack-x")
    running.put(Port(4, tap=running.tap), "172.16.1.8")
    running.wait_served({"172.16.1.8": "10.65.0.13"})
    running.wait_source("the odd one is named", lambda each: "compute1-openstack-x" in str(
        each["problems"]))


def test_of_two_endpoints_with_one_floating_ip_the_newer_wins_and_the_loser_is_shown(running):
    old = Port(1, tap=running.tap)
    neighbour = running.topology.neighbour
    new = Port(2, tap=neighbour.tap, fixed=neighbour.fixed)
    running.put(old, "172.16.1.3")
    running.wait_served({"172.16.1.3": "10.65.0.13"})
    running.put(new, "172.16.1.3")
    running.wait_served({"172.16.1.3": "10.65.0.14"})
    rows = {row["source"]: row for row in running.fipd.rows()}
    assert rows[old.origin()]["state"] == "conflict", rows
    # An identical rewrite of the stale one does not win it back.
    running.put(old, "172.16.1.3")
    running.put(Port(3, tap=running.tap), "172.16.1.9")
    running.wait_served({"172.16.1.3": "10.65.0.14", "172.16.1.9": "10.65.0.13"})
    running.put(old)
    running.wait_served({"172.16.1.3": "10.65.0.14", "172.16.1.9": "10.65.0.13"})


def test_rewrites_and_a_flap_write_nothing_to_the_kernel(running):
    port = Port(1, tap=running.tap)
    running.put(port, "172.16.1.3")
    running.topology.wait_routed("172.16.1.3", 15)
    watch = kernel.WriteWatch(running.topology.lab, running.host)
    for number in range(5):
        running.put(port, "172.16.1.3")
    running.put(port, "172.16.1.3", labels={"a": "changed"})
    for number in range(3):
        running.delete(port)
        time.sleep(SETTLE / 10)
        running.put(port, "172.16.1.3", labels={"a": str(number)})
    time.sleep(2 * SETTLE)
    # What comes after all that has been seen, so that was, too.
    running.put(Port(2, tap=running.tap), "172.16.1.4")
    running.topology.wait_routed("172.16.1.4", 15)
    lines = watch.stop()
    assert any("172.16.1.4" in line for line in lines)
    assert not [line for line in lines if "172.16.1.3" in line]


def metric(cloud, floating="172.16.1.3"):
    return kernel.routes(cloud.host).get(floating, (None, None))[1]


def test_a_migrations_target_is_prepared_and_takes_over_when_the_migration_has_ended(running):
    port = Port(1, tap=running.tap)
    record = kernel.Recorder(running.topology.lab, running.host, "ip")
    # The writer's order: the migration first, and both within a millisecond or so.
    running.etcd.put(port.migration_key(), port.migration("compute2", "compute1"))
    running.put(port, "172.16.1.3")
    running.wait_served({"172.16.1.3": "10.65.0.13"})
    row = running.fipd.shown("172.16.1.3")
    assert row["state"] == "translated" and "compute2" in row["reason"], row
    assert not [line for line in record.stop() if "172.16.1.3" in line], "not announced for a moment"
    # Who starts now, even without etcd, knows that it is only prepared.
    time.sleep(SAVED)
    running.etcd.kill()
    running.fipd.restart(kill=True)
    assert running.fipd.shown("172.16.1.3")["state"] == "translated" and metric(running) is None
    running.etcd.start()
    running.wait_source("it answers", lambda each: each["complete"])
    # At the end the target's endpoint is deleted and put back, besides.
    running.etcd.delete(port.migration_key())
    running.delete(port)
    running.put(port, "172.16.1.3")
    wait_for(lambda: metric(running) == 512, 15, lambda: f"it takes over, not {metric(running)}")


def test_a_migrations_source_drains_and_serves_again_where_it_fails(running):
    port, there = Port(1, tap=running.tap), Port(1, host="compute2")
    running.put(port, "172.16.1.3")
    wait_for(lambda: metric(running) == 1024, 15, "it is served")
    running.etcd.put(there.migration_key(), there.migration("compute1", "compute2"))
    wait_for(lambda: metric(running) == 4096, 15, "it is a last resort")
    assert "compute2" in running.fipd.shown("172.16.1.3")["reason"]
    running.etcd.delete(there.migration_key())
    wait_for(lambda: metric(running) == 1024, 15, "it is served as before")


def test_an_object_that_is_no_migration_changes_nothing_and_is_named(running):
    port = Port(1, tap=running.tap)
    running.put(port, "172.16.1.3")
    wait_for(lambda: metric(running) == 1024, 15, "it is served")
    running.etcd.put(port.migration_key(), {"kind": "LiveMigration", "spec": {"destination": "x"}})
    running.wait_source("it is named", lambda each: "LiveMigration" in str(each["problems"]))
    assert metric(running) == 1024
    running.etcd.delete(port.migration_key())
    running.wait_source("all is well", lambda each: not each["problems"])


def test_a_fixed_ip_that_the_endpoint_does_not_have_is_refused_with_the_reason(running):
    running.put(Port(1, tap=running.tap), "172.16.1.3", fixed="10.65.0.99")
    running.put(Port(2, tap=running.tap), "172.16.1.4", networks=[])
    running.etcd.put(Port(3).key(), "{")
    running.put(Port(4, tap=running.tap), "172.16.1.5")
    running.wait_served({"172.16.1.5": "10.65.0.13"})
    running.wait_source("all three are named", lambda each: len(each["problems"]) == 3)
    problems = "\n".join(running.source()["problems"])
    assert "172.16.1.3 cannot lead to 10.65.0.99" in problems
    assert "172.16.1.4 cannot lead to 10.65.0.13" in problems


def test_a_region_has_its_own_endpoints():
    cloud = Cloud(region="north")
    try:
        cloud.start()
        cloud.etcd.put(Port(1).key(), Port(1).value("172.16.1.3"))
        cloud.put(Port(2, tap=cloud.tap), "172.16.1.4")
        cloud.wait_served({"172.16.1.4": "10.65.0.13"})
    finally:
        cloud.close()


def test_a_restart_without_etcd_serves_what_was_known(cloud):
    cloud.start()
    kept, gone = Port(1, tap=cloud.tap), Port(2, tap=cloud.tap)
    cloud.put(kept, "172.16.1.3"), cloud.put(gone, "172.16.1.4")
    both = {"172.16.1.3": "10.65.0.13", "172.16.1.4": "10.65.0.13"}
    cloud.wait_served(both)
    time.sleep(SAVED)
    cloud.fipd.process.kill()
    cloud.etcd.kill()
    cloud.host.nft("delete table inet fipd\n")
    cloud.fipd.start()
    cloud.wait_served(both)
    cloud.wait_source("its absence is told", lambda each: "connect" in str(each["problems"]))
    cloud.etcd.start()
    cloud.delete(gone)
    cloud.wait_served({"172.16.1.3": "10.65.0.13"})
    cloud.wait_well()


def test_a_restart_without_etcd_serves_what_a_key_said_before_its_value_went_bad(cloud):
    cloud.start()
    port = Port(1, tap=cloud.tap)
    cloud.put(port, "172.16.1.3")
    cloud.topology.wait_routed("172.16.1.3", 15)
    cloud.etcd.put(port.key(), "{not JSON")
    cloud.wait_source("it is named", lambda each: "not JSON" in str(each["problems"]))
    time.sleep(SAVED)
    cloud.etcd.kill()
    cloud.fipd.restart(kill=True)
    assert cloud.fipd.shown("172.16.1.3")["source"] == port.origin()


def test_a_wiped_etcd_removes_nothing_until_a_person_accepts_it_whatever_restarts(cloud):
    cloud.start()
    back, lost = Port(1, tap=cloud.tap), Port(2, tap=cloud.tap)
    cloud.put(back, "172.16.1.3"), cloud.put(lost, "172.16.1.4")
    both = {"172.16.1.3": "10.65.0.13", "172.16.1.4": "10.65.0.13"}
    cloud.wait_served(both)
    cloud.etcd.wipe()
    cloud.put(back, "172.16.1.3")
    cloud.wait_source("it is noticed", lambda each: each["held"] == 1, 30)
    time.sleep(SAVED)
    cloud.fipd.process.kill()
    cloud.fipd.start()
    cloud.wait_source("it is noticed again", lambda each: each["held"] == 1, 30)
    time.sleep(2 * SETTLE)
    assert cloud.served() == both
    answer = cloud.fipd.ctl("accept", "calico")
    assert answer.code == 0, answer
    cloud.wait_served({"172.16.1.3": "10.65.0.13"})
    # From now on the new cluster is believed.
    cloud.wait_source("it is well", lambda each: each["complete"])
    time.sleep(SAVED)
    cloud.fipd.process.kill()
    cloud.delete(back)
    cloud.fipd.start()
    cloud.wait_served({})


def test_a_wiped_etcd_that_is_filled_again_is_believed(cloud):
    cloud.start()
    port = Port(1, tap=cloud.tap)
    cloud.put(port, "172.16.1.3")
    cloud.wait_served({"172.16.1.3": "10.65.0.13"})
    cloud.etcd.wipe()
    cloud.wait_source("it is noticed", lambda each: each["held"] == 1, 30)
    cloud.put(port, "172.16.1.3")
    cloud.wait_source("all is back", lambda each: each["held"] == 0, 30)
    cloud.delete(port)
    cloud.wait_served({})


def test_a_mass_removal_that_nobody_saw_is_held_until_it_is_accepted(cloud):
    cloud.start()
    ports = [Port(number, tap=cloud.tap) for number in range(10, 50)]
    for number, port in enumerate(ports):
        cloud.put(port, f"172.16.1.{number + 10}")
    wait_for(lambda: len(cloud.served()) == 40, 15, "all are served")
    time.sleep(SAVED)
    cloud.fipd.process.kill()
    for port in ports[:30]:
        cloud.delete(port)
    cloud.fipd.start()
    cloud.wait_source("30 are held", lambda each: each["held"] == 30)
    time.sleep(2 * SETTLE)
    assert len(cloud.served()) == 40
    assert cloud.fipd.ctl("accept").code == 0
    wait_for(lambda: len(cloud.served()) == 10, 15, lambda: f"10 are served, not {cloud.served()}")
