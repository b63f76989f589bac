"""fipd under what its unit gives it and nothing else: user, capabilities, groups, read-only file system
and the filter of system calls."""
import os
import re
import shutil

import pytest

import arrival
import kernel
import talk
from bird import SOURCE
from etcd_cloud import FipdCloud
from namespaces import Failed, run
from test_calico import Port
from unit import BEGINS, Unit
from waiting import wait_for

UNIT = Unit(f"{SOURCE}/systemd/fipd.service")
A, B, C = (f"172.16.1.{n}" for n in (30, 31, 32))
METRICS = 9472
REFUSALS = "EPERM|EACCES|EAFNOSUPPORT|EROFS|ENOSYS|EMFILE"


class Cloud(FipdCloud):
    """With every source, and with the folders and users that systemd makes for the unit."""

    def __init__(self):
        super().__init__()
        self.trace = self.lab.file("calls.strace")
        self.users = self.make_users()
        settings = self.fipd.settings
        settings["control"] = {"socket": self.make_folder("run", "RuntimeDirectoryMode", "fipd.sock")}
        settings["store"] = {"path": self.make_folder("state", "StateDirectoryMode", "fipd.db")}
        settings["calico"] = {"enabled": True, "endpoints": self.etcd.endpoints, "settle": "500ms"}
        settings["metrics"] = {"listen": f"127.0.0.1:{METRICS}"}
        settings["nat"].update(accounting=True)
        settings["health"] = {"interval": "100ms", "timeout": "1s", "fall": 2, "rise": 2}
        self.fipd.socket = settings["control"]["socket"]
        self.fipd.write_config()
        os.chown(self.topology.host.bird.socket, 0, self.gid("bird"))
        os.chmod(self.topology.host.bird.socket, 0o660)

    def make_users(self):
        """This machine's, and those of the unit."""
        root = self.lab.file("root")
        os.makedirs(f"{root}/etc")
        for name in ("passwd", "group"):
            shutil.copy(f"/etc/{name}", f"{root}/etc")
        run("systemd-sysusers", f"--root={root}", f"{SOURCE}/systemd/fipd.sysusers")
        return f"{root}/etc"

    def gid(self, name):
        with open(f"{self.users}/group") as groups:
            return int(re.search(rf"^{name}:[^:]*:(\d+)", groups.read(), re.MULTILINE)[1])

    def uid(self, name):
        with open(f"{self.users}/passwd") as users:
            return int(re.search(rf"^{name}:[^:]*:(\d+)", users.read(), re.MULTILINE)[1])

    def make_folder(self, name, mode, file):
        folder = self.lab.file(name)
        os.makedirs(folder)
        os.chown(folder, self.uid(UNIT.one("User")), self.gid(UNIT.one("Group")))
        os.chmod(folder, int(UNIT.one(mode), 8))
        return f"{folder}/{file}"

    def start(self, told=True, unit=UNIT):
        if told:
            self.say_ready()
        folders = [os.path.dirname(self.fipd.settings[section][key])
                   for section, key in (("control", "socket"), ("store", "path"))]
        self.fipd.start(wrap=unit.wrap(self.trace, self.users, *folders))
        return self

    def failed_calls(self):
        return refused(self.trace)

    def clear(self):
        self.fipd.clear()
        self.fipd.write_bindings("site.toml", [])
        self.etcd.delete(Port(1).key())
        super().clear()

    def metrics(self):
        return self.host.run("curl", "-sS", f"http://127.0.0.1:{METRICS}/metrics").stdout


def refused(trace):
    """What the filter or the kernel has not allowed, in strace's words."""
    with open(trace) as lines:
        _, begins, calls = lines.read().partition(BEGINS)
    assert begins
    # The one that is meant: a check by ICMP tries without CAP_NET_RAW, which needs a sysctl, first.
    return [call for call in re.findall(rf".*\) += -1 (?:{REFUSALS}) .*", calls)
            if "IPPROTO_ICMP) = -1 EACCES" not in call]


@pytest.fixture(autouse=True)
def nothing_is_refused(shared_cloud):
    yield
    assert not shared_cloud.failed_calls()


def test_its_socket_is_there_for_its_group(running):
    socket = os.stat(running.fipd.socket)
    assert (socket.st_gid, socket.st_mode & 0o777) == (running.gid("fipd"), 0o660)
    nobody = ["setpriv", "--reuid", "65534", "--clear-groups", "--regid"]
    assert running.fipd.ctl("ls", prefix=[*nobody, str(running.gid("fipd"))]).code == 0
    assert running.fipd.ctl("ls", prefix=[*nobody, "65534"]).code == 4


def test_it_serves_what_each_source_says_until_that_is_taken_back(running):
    topology, fixed = running.topology, running.topology.instance.fixed
    topology.announce(A, fixed)
    topology.announce("2001:db8:1::30", topology.instance.fixed6)
    running.fipd.write_bindings("site.toml", [(B, fixed)])
    running.put(3)
    running.etcd.put(Port(1).key(), Port(1).value(C))
    for floating in (A, B, C, "172.16.1.3"):
        topology.wait_routed(floating, 15)
        assert talk.tcp(topology.client, floating)["server"] == "instance13"
    wait_for(lambda: running.etcd.values("/fipd/v1/status/"), 10, "etcd is told")
    status = running.fipd.ctl("status", "--json").json
    assert all(each["complete"] for each in status["sources"]), status
    assert not status["warnings"] and not status["problems"], status
    # What is removed while a connection of it lives: conntrack is written, too.
    call = talk.TcpCall(topology.client, A)
    running.clear()
    wait_for(lambda: not call.say(), 10, "its connection is forgotten")
    for floating in (A, B, C, "172.16.1.3"):
        topology.wait_unrouted(floating)


def test_it_checks_by_icmp_and_tcp(running):
    for floating, check in ((A, "icmp"), (B, "tcp/7000"), (C, "tcp/7009")):
        running.fipd.add(floating, running.topology.instance.fixed, "--check", check)
    for floating, state in ((A, "announced"), (B, "announced"), (C, "drained")):
        running.fipd.wait_state(floating, state, 15)


def test_it_hears_an_instance_that_arrives(running):
    # Not the instance that other tests talk to: what it says has a hardware address that it has not.
    instance = running.topology.neighbour
    running.put(3, fixed=instance.fixed, interface=instance.tap, role="target", peer="compute2")
    running.wait_served({"172.16.1.3": instance.fixed})
    assert "prepared" in running.fipd.shown("172.16.1.3")["reason"]
    arrival.gratuitous_arp(instance.namespace, instance.fixed)
    running.topology.wait_routed("172.16.1.3", 15)


def test_it_counts_drains_and_repairs(running):
    fipd, topology = running.fipd, running.topology
    topology.announce(A, topology.instance.fixed)
    for _ in range(3):
        assert talk.tcp(topology.client, A)["server"] == "instance13"
    assert "fipd_" in running.metrics()
    assert fipd.ctl("show", A).code == 0
    assert fipd.ctl("drain", A).code == 0
    assert fipd.ctl("undrain", A).code == 0
    for damage in (("ip", "route", "flush", "table", "172"), ("nft", "flush", "ruleset")):
        running.host.run(*damage)
        wait_for(lambda: A in kernel.routes(running.host) and A in running.served(), 10, "repaired")
    wait_for(lambda: fipd.state(A) == "announced", 10, "announced again")


@pytest.mark.parametrize("how", ["fipctl", "SIGHUP"])
def test_it_reloads_by(running, how):
    fipd = running.fipd
    since = len(fipd.log())
    if how == "fipctl":
        assert fipd.ctl("reload").code == 0
    else:
        fipd.hangup()
    fipd.wait_log("configuration taken over", since=since)


def test_it_ends_and_comes_again_with_what_it_had(running):
    topology = running.topology
    topology.announce(A, topology.instance.fixed)
    running.put(3)
    running.wait_served({A: "10.65.0.13", "172.16.1.3": "10.65.0.13"})
    wait_for(lambda: os.path.exists(f"{running.fipd.settings['store']['path']}-etcd"), 10, "saved")
    running.fipd.stop()
    assert not running.failed_calls()
    running.etcd.kill()
    running.start(told=False)
    try:
        assert running.served() == {A: "10.65.0.13", "172.16.1.3": "10.65.0.13"}
        running.fipd.wait_state(A, "announced", 15)
    finally:
        running.etcd.start()


@pytest.fixture
def for_bird(running):
    """fipd is stopped, and its socket for another group from the next start on."""
    running.fipd.stop()
    running.fipd.settings["control"]["group"] = "bird"
    running.fipd.write_config()
    yield running
    del running.fipd.settings["control"]["group"]
    running.fipd.write_config()
    running.start()


def test_its_socket_is_another_groups_where_the_unit_runs_it_in_that(for_bird):
    edited = for_bird.lab.file("edited.service")
    with open(UNIT.path) as shipped, open(edited, "w") as out:
        out.write(shipped.read().replace("\nGroup=fipd\n", "\nGroup=bird\n"))
    for_bird.start(unit=Unit(edited))
    assert os.stat(for_bird.fipd.socket).st_gid == for_bird.gid("bird")
    for_bird.fipd.stop()


def test_a_group_that_the_unit_does_not_run_it_in_is_refused_with_the_remedy(for_bird):
    with pytest.raises(Failed, match="Group= of its unit"):
        for_bird.start()
    call, = for_bird.failed_calls()  # the one that is meant
    assert "chown" in call
    os.truncate(for_bird.trace, 0)


def test_the_sandbox_of_these_tests_refuses_what_it_should(running):
    """Else nothing above would have a meaning."""
    tried = ("import os, socket, sys\n"
             "for call in (lambda: os.sched_setaffinity(0, {0}), lambda: os.setuid(0),\n"
             "             lambda: open('/etc/fipd-was-here', 'w'), lambda: socket.socket(40, 1),\n"
             "             lambda: open('/proc/sys/net/ipv4/ip_forward', 'w'), lambda: 0):\n"
             "    try:\n"
             "        print('allowed', call())\n"
             "    except OSError as error:\n"
             "        print(error.strerror)\n")
    trace = running.lab.file("tried.strace")
    words = [*UNIT.wrap(trace, running.users), "/usr/bin/python3", "-IS", "-c", tried]
    refusals = running.host.run(*words).stdout.splitlines()
    assert refusals == ["Operation not permitted", "Operation not permitted", "Read-only file system",
                        "Address family not supported by protocol", "Read-only file system",
                        "allowed 0"], refusals
    assert len(refused(trace)) == 5
