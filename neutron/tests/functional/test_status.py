"""What the hosts' fipd write under their lease, seen in Neutron. The tests are the fipd."""
import time

import pytest
from stack import PREFIX
from waiting import stays, wait_for

pytestmark = pytest.mark.slow


class Fipd:
    """As docs/etcd.md says."""

    def __init__(self, stack, host, bird=True, ttl=60):
        self.stack = stack
        self.host = host
        self.lease = stack.etcd.grant(ttl)
        stack.etcd.put(f"{PREFIX}status/{host}/agent",
                       {"version": "1.0.0", "host": host, "bird": bird}, self.lease)

    def says(self, fip, state, reason=""):
        self.stack.etcd.put(f"{PREFIX}status/{self.host}/fip/{fip['id']}", {
            "floating": fip["floating_ip_address"], "state": state, "reason": reason}, self.lease)

    def dies(self):
        self.stack.etcd.revoke(self.lease)


@pytest.fixture
def fipd(stack, request):
    made = []

    def make(host, **options):
        made.append(Fipd(stack, host, **options))
        return made[-1]
    yield make
    for each in made:
        each.dies()


def placed(stack, host):
    port = stack.cloud.port(host)
    fip = stack.cloud.floating_ip(port)
    stack.serves(fip, port, host)
    return fip


def test_a_floating_ip_is_active_when_it_is_announced_and_down_when_not(stack, fipd):
    fip = placed(stack, "status1")
    host = fipd("status1")
    assert stack.status(fip) == "DOWN"
    host.says(fip, "announced")
    stack.has_status(fip, "ACTIVE")
    host.says(fip, "learned", "no session is established")
    stack.has_status(fip, "DOWN")
    host.says(fip, "drained")
    stack.has_status(fip, "ACTIVE")


def test_routed_is_enough_only_where_there_is_no_bird(stack, fipd):
    with_bird, without = placed(stack, "status2"), placed(stack, "status3")
    fipd("status2").says(with_bird, "routed")
    fipd("status3", bird=False).says(without, "routed")
    stack.has_status(without, "ACTIVE")
    assert stack.status(with_bird) == "DOWN"


def test_a_refused_floating_ip_is_in_error_and_the_log_has_the_reason(stack, fipd):
    fip = placed(stack, "status4")
    fipd("status4").says(fip, "refused", "172.16.1.3 is outside of [pools] allowed")
    stack.has_status(fip, "ERROR")
    assert "172.16.1.3 is outside of [pools] allowed" in stack.neutron.process.text()


def test_another_hosts_word_does_not_count(stack, fipd):
    fip = placed(stack, "status5")
    fipd("status5")
    fipd("status6").says(fip, "announced")
    time.sleep(1.5)
    assert stack.status(fip) == "DOWN"


def test_a_fipd_that_is_gone_keeps_its_floating_ips_for_the_time_of_grace(stack, fipd):
    fip = placed(stack, "status7")
    host = fipd("status7")
    host.says(fip, "announced")
    stack.has_status(fip, "ACTIVE")
    host.dies()
    stays(lambda: stack.status(fip) == "ACTIVE", 1.5, "ACTIVE within the time of grace")
    stack.has_status(fip, "DOWN")


def test_the_agent_is_alive_in_neutrons_list_while_its_key_is_there(stack, fipd):
    fipd("status8")

    def beats():
        agents = [agent for agent in stack.neutron.list("agent")
                  if agent["binary"] == "fipd" and agent["host"] == "status8"]
        return agents and agents[0]
    agent = wait_for(beats, 10, "an agent")
    assert agent["alive"] and agent["configurations"]["version"] == "1.0.0"
    first = agent["heartbeat_timestamp"]
    wait_for(lambda: beats()["heartbeat_timestamp"] > first, 10, "another heartbeat")


@pytest.mark.full
def test_the_old_host_is_released_as_soon_as_the_new_one_has_announced(fresh):
    # A handover of an hour: only the announcement can end it.
    stack = fresh(settings={"networking_fipd": {"handover": 3600}}).with_cloud()
    old, new = stack.cloud.port("compute1"), stack.cloud.port("compute2")
    fip = stack.cloud.floating_ip(old)
    stack.serves(fip, old, "compute1")
    there = Fipd(stack, "compute2")
    stack.neutron.update("floatingip", fip["id"], port_id=new["id"])
    leaving = stack.value(fip, old, role="leaving", peer="compute2")
    stack.becomes(fip, {"compute1": leaving, "compute2": stack.value(fip, new)})
    there.says(fip, "routed")
    stays(lambda: "compute1" in stack.hosts(fip), 2, "the old host waits for the announcement")
    there.says(fip, "announced")
    stack.serves(fip, new, "compute2")
    assert stack.index(fip)["hosts"] == {"compute2": ""}
