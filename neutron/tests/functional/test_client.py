"""The reference page's sequence, by the real `openstack` client."""
import json

import pytest
from stack import PREFIX
from waiting import wait_for

pytestmark = pytest.mark.slow


@pytest.mark.full
def test_the_reference_pages_sequence_by_the_openstack_client(fresh):
    stack = fresh()
    openstack = stack.neutron.openstack
    openstack("network", "create", "--share", "calico")
    openstack("subnet", "create", "--gateway", "10.65.0.1", "--dhcp", "--ip-version", "4",
              "--network", "calico", "--subnet-range", "10.65.0.0/24", "calico-v4")
    port = openstack("port", "create", "--network", "calico", "--host", "compute-node01",
                     "--device-owner", "compute:nova", "vm", "-f", "value", "-c", "id").strip()
    openstack("network", "create", "--external", "public")
    openstack("subnet", "create", "--network", "public", "--subnet-range", "172.16.1.0/24",
              "public-v4")
    openstack("router", "create", "router1")
    openstack("router", "add", "subnet", "router1", "calico-v4")
    openstack("router", "set", "--external-gateway", "public", "router1")
    fip = json.loads(openstack("floating", "ip", "create", "public", "-f", "json"))
    openstack("floating", "ip", "set", "--port", port, fip["id"])
    key = f"{PREFIX}host/compute-node01/fip/{fip['id']}"
    value = wait_for(lambda: stack.etcd.objects(key).get(key), 10, "the key of compute-node01")
    assert value["floating"] == fip["floating_ip_address"]
    assert value["interface"] == "tap" + port[:11]

    lease = stack.etcd.grant(60)
    stack.etcd.put(f"{PREFIX}status/compute-node01/agent", {"version": "1.0.0", "bird": True},
                   lease)
    stack.etcd.put(f"{PREFIX}status/compute-node01/fip/{fip['id']}",
                   {"floating": value["floating"], "state": "announced", "reason": ""}, lease)
    wait_for(lambda: openstack("floating", "ip", "show", fip["id"], "-f", "value", "-c",
                               "status").strip() == "ACTIVE", 30, "ACTIVE")
    agents = json.loads(openstack("network", "agent", "list", "-f", "json"))
    assert [(agent["Host"], agent["Alive"], agent["Binary"]) for agent in agents] == [
        ("compute-node01", True, "fipd")]
