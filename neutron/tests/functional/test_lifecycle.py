"""What happens to a floating IP in the real Neutron, read back as keys of the real etcd."""
from neutron_server import Refused
import pytest
from stack import PREFIX

pytestmark = pytest.mark.slow


def test_a_floating_ip_created_with_a_port_is_on_the_ports_host(stack):
    port = stack.cloud.port("compute1")
    fip = stack.cloud.floating_ip(port)
    stack.serves(fip, port, "compute1")
    assert stack.index(fip) == {"floating": fip["floating_ip_address"], "hosts": {"compute1": ""}}


def test_a_host_name_with_strange_letters_is_escaped_in_the_key(stack):
    port = stack.cloud.port("rack 1/node")
    fip = stack.cloud.floating_ip(port)
    stack.becomes(fip, {"rack%201%2Fnode": stack.value(fip, port)})
    assert stack.index(fip)["hosts"] == {"rack 1/node": ""}


def test_associating_disassociating_and_deleting(stack):
    port = stack.cloud.port("compute1")
    fip = stack.cloud.floating_ip()
    stack.neutron.update("floatingip", fip["id"], port_id=port["id"])
    stack.serves(fip, port, "compute1")
    stack.neutron.update("floatingip", fip["id"], port_id=None)
    stack.is_nowhere(fip)
    stack.neutron.update("floatingip", fip["id"], port_id=port["id"])
    stack.serves(fip, port, "compute1")
    stack.neutron.delete("floatingip", fip["id"])
    stack.is_nowhere(fip)


def test_a_move_between_hosts_is_one_revision_and_the_old_host_leaves_on_a_lease(stack):
    old, new = stack.cloud.port("compute1"), stack.cloud.port("compute2")
    fip = stack.cloud.floating_ip(old)
    stack.serves(fip, old, "compute1")
    since = stack.etcd.revision() + 1
    stack.neutron.update("floatingip", fip["id"], port_id=new["id"])
    stack.serves(fip, new, "compute2")
    events = [event for event in stack.etcd.history(PREFIX, since) if fip["id"] in event[1]]
    first = {key: text for revision, key, text in events if revision == events[0][0]}
    assert set(first) == {f"{PREFIX}host/compute1/fip/{fip['id']}",
                          f"{PREFIX}host/compute2/fip/{fip['id']}",
                          f"{PREFIX}index/fip/{fip['id']}"}
    assert '"role": "leaving"' in first[f"{PREFIX}host/compute1/fip/{fip['id']}"]
    assert '"peer": "compute2"' in first[f"{PREFIX}host/compute1/fip/{fip['id']}"]


def test_a_move_on_one_host_changes_the_value_in_one_revision(stack):
    old, new = stack.cloud.port("compute1"), stack.cloud.port("compute1")
    fip = stack.cloud.floating_ip(old)
    stack.serves(fip, old, "compute1")
    since = stack.etcd.revision() + 1
    stack.neutron.update("floatingip", fip["id"], port_id=new["id"])
    stack.serves(fip, new, "compute1")
    events = [event for event in stack.etcd.history(PREFIX, since) if fip["id"] in event[1]]
    assert len({revision for revision, _, _ in events}) == 1, events
    assert all(text is not None for _, _, text in events), events


def test_the_floating_ip_of_a_deleted_port_is_on_no_host(stack):
    port = stack.cloud.port("compute1")
    fip = stack.cloud.floating_ip(port)
    stack.serves(fip, port, "compute1")
    stack.neutron.delete("port", port["id"])
    # Sooner than the next comparison (5 s): by the event.
    stack.is_nowhere(fip, timeout=4)


def test_a_floating_ip_follows_the_host_of_its_port_and_is_never_without_one(stack):
    port = stack.cloud.port("compute1")
    fip = stack.cloud.floating_ip(port)
    stack.serves(fip, port, "compute1")
    since = stack.etcd.revision() + 1
    stack.neutron.update("port", port["id"], **{"binding:host_id": "compute2"})
    stack.serves(fip, port, "compute2")
    events = [event for event in stack.etcd.history(f"{PREFIX}host/", since)
              if fip["id"] in event[1]]
    gone = [revision for revision, _, text in events if text is None]
    came = [revision for revision, key, text in events if "compute2" in key and text]
    assert len(gone) == 1 and min(came) < gone[0], events


def test_an_unbound_port_waits_with_a_reason_until_it_is_bound(stack):
    port = stack.cloud.port()
    fip = stack.cloud.floating_ip(port)
    stack.is_nowhere(fip, "bound to no host")
    stack.neutron.update("port", port["id"], **{"binding:host_id": "compute1"})
    stack.serves(fip, port, "compute1")


def binding(stack, port, host):
    return stack.neutron.api("POST", f"/v2.0/ports/{port['id']}/bindings",
                             {"binding": {"host": host}})


def test_live_migration_prepares_the_target_and_switches_in_one_revision(stack):
    port = stack.cloud.port("compute1")
    fip = stack.cloud.floating_ip(port)
    stack.serves(fip, port, "compute1")
    binding(stack, port, "compute2")
    stack.becomes(fip, {"compute1": stack.value(fip, port, role="source", peer="compute2"),
                        "compute2": stack.value(fip, port, role="target", peer="compute1")}, 4)
    since = stack.etcd.revision() + 1
    stack.neutron.api("PUT", f"/v2.0/ports/{port['id']}/bindings/compute2/activate")
    stack.serves(fip, port, "compute2")
    events = [event for event in stack.etcd.history(f"{PREFIX}host/", since)
              if fip["id"] in event[1]]
    switch = [(key.split("/")[4], text) for revision, key, text in events
              if revision == events[0][0]]
    assert [host for host, _ in sorted(switch)] == ["compute1", "compute2"], events
    assert '"leaving"' in dict(switch)["compute1"] and '"role"' not in dict(switch)["compute2"]
    # Nova deletes the old host's binding last of all.
    stack.neutron.api("DELETE", f"/v2.0/ports/{port['id']}/bindings/compute1")
    stack.serves(fip, port, "compute2")


def test_a_migration_that_is_given_up_takes_the_target_away(stack):
    port = stack.cloud.port("compute1")
    fip = stack.cloud.floating_ip(port)
    binding(stack, port, "compute3")
    stack.becomes(fip, {"compute1": stack.value(fip, port, role="source", peer="compute3"),
                        "compute3": stack.value(fip, port, role="target", peer="compute1")}, 4)
    stack.neutron.api("DELETE", f"/v2.0/ports/{port['id']}/bindings/compute3")
    stack.serves(fip, port, "compute1", 4)


def test_migrating_to_in_the_profile_names_the_target_too(stack):
    port = stack.cloud.port("compute1")
    fip = stack.cloud.floating_ip(port)
    stack.neutron.update("port", port["id"], **{
        "binding:profile": {"migrating_to": "compute2"}})
    stack.becomes(fip, {"compute1": stack.value(fip, port, role="source", peer="compute2"),
                        "compute2": stack.value(fip, port, role="target", peer="compute1")})


def test_a_changed_fixed_ip_is_followed(stack):
    port = stack.cloud.port("compute1")
    fip = stack.cloud.floating_ip(port)
    stack.serves(fip, port, "compute1")
    changed = stack.neutron.update("port", port["id"], fixed_ips=[
        {"subnet_id": stack.cloud.subnet["id"], "ip_address": "10.65.0.231"}])
    assert stack.fixed(changed) == "10.65.0.231"
    stack.serves(fip, changed, "compute1", 4)


def test_an_address_that_the_port_gave_back_is_served_to_nobody(stack):
    subnet = stack.cloud.subnet["id"]
    port = stack.cloud.port("compute1", fixed_ips=[
        {"subnet_id": subnet, "ip_address": f"10.65.0.24{n}"} for n in (1, 2, 3)])
    fip = stack.cloud.floating_ip(port, fixed_ip_address="10.65.0.242")
    stack.becomes(fip, {"compute1": stack.value(fip, port, fixed="10.65.0.242")})
    stack.neutron.update("port", port["id"], fixed_ips=[
        {"subnet_id": subnet, "ip_address": f"10.65.0.24{n}"} for n in (1, 3)])
    stack.is_nowhere(fip, "no longer has 10.65.0.242")
    stack.has_status(fip, "ERROR")


@pytest.mark.parametrize("kind", ["port", "network", "router"])
def test_what_is_administratively_down_is_served_by_nobody(stack, kind):
    port = stack.cloud.port("compute1")
    fip = stack.cloud.floating_ip(port)
    stack.serves(fip, port, "compute1")
    ident = {"port": port, "network": stack.cloud.network, "router": stack.cloud.router}[kind]["id"]
    stack.neutron.update(kind, ident, admin_state_up=False)
    try:
        stack.is_nowhere(fip, "administratively down", 4)
        stack.has_status(fip, "DOWN")
    finally:
        stack.neutron.update(kind, ident, admin_state_up=True)
    stack.serves(fip, port, "compute1", 4)


def test_a_gateway_cannot_be_taken_from_floating_ips_and_they_stay(stack):
    port = stack.cloud.port("compute1")
    fip = stack.cloud.floating_ip(port)
    stack.serves(fip, port, "compute1")
    with pytest.raises(Refused) as refused:
        stack.neutron.update("router", stack.cloud.router["id"], external_gateway_info={})
    assert refused.value.status == 409
    stack.serves(fip, port, "compute1")


def test_two_floating_ips_on_two_addresses_of_a_port(stack):
    subnet = stack.cloud.subnet["id"]
    port = stack.cloud.port("compute1", fixed_ips=[{"subnet_id": subnet}, {"subnet_id": subnet}])
    fixed = [each["ip_address"] for each in port["fixed_ips"]]
    fips = [stack.cloud.floating_ip(port, fixed_ip_address=address) for address in fixed]
    for fip, address in zip(fips, fixed):
        stack.becomes(fip, {"compute1": stack.value(fip, port, fixed=address)})


def test_of_two_floating_ips_on_one_address_the_older_is_primary(stack):
    cloud, neutron = stack.cloud, stack.neutron
    second = neutron.create("network", name="second-public", **{"router:external": True})
    neutron.create("subnet", network_id=second["id"], cidr="172.16.9.0/24", ip_version=4,
                   enable_dhcp=False)
    router = neutron.create("router", external_gateway_info={"network_id": second["id"]})
    inside = neutron.create("port", network_id=cloud.network["id"])
    neutron.api("PUT", f"/v2.0/routers/{router['id']}/add_router_interface",
                {"port_id": inside["id"]})
    port = cloud.port("compute1")
    one = cloud.floating_ip(port)
    stack.serves(one, port, "compute1")
    two = neutron.create("floatingip", floating_network_id=second["id"], port_id=port["id"])
    stack.serves(one, port, "compute1", primary=True)
    stack.serves(two, port, "compute1")
    neutron.delete("floatingip", one["id"])
    stack.is_nowhere(one)
    stack.serves(two, port, "compute1")


def test_a_floating_ip_of_any_subnet_of_the_external_network(stack):
    stack.neutron.create("subnet", network_id=stack.cloud.external["id"], cidr="172.16.77.0/24",
                         ip_version=4, enable_dhcp=False)
    port = stack.cloud.port("compute1")
    fip = stack.cloud.floating_ip(port, floating_ip_address="172.16.77.7")
    stack.serves(fip, port, "compute1")
    assert stack.hosts(fip)["compute1"]["floating"] == "172.16.77.7"


def test_limits_come_from_the_qos_policy_and_follow_its_rules(stack):
    policy = stack.neutron.create("policy", name="gold")
    rule = stack.neutron.api(
        "POST", f"/v2.0/qos/policies/{policy['id']}/bandwidth_limit_rules",
        {"bandwidth_limit_rule": {"max_kbps": 10000, "max_burst_kbps": 800,
                                  "direction": "ingress"}})["bandwidth_limit_rule"]
    port = stack.cloud.port("compute1")
    fip = stack.cloud.floating_ip(port, qos_policy_id=policy["id"])
    stack.serves(fip, port, "compute1", limits={"in_bits": 10_000_000, "in_burst": 100_000})
    stack.neutron.api(
        "PUT", f"/v2.0/qos/policies/{policy['id']}/bandwidth_limit_rules/{rule['id']}",
        {"bandwidth_limit_rule": {"max_kbps": 20000, "max_burst_kbps": 0}})
    stack.serves(fip, port, "compute1", 4, limits={"in_bits": 20_000_000})
    stack.neutron.update("floatingip", fip["id"], qos_policy_id=None)
    stack.serves(fip, port, "compute1", 4)


def test_limits_come_and_go_with_the_policy_of_the_external_network(stack):
    policy = stack.neutron.create("policy", name="of the network")
    stack.neutron.api(
        "POST", f"/v2.0/qos/policies/{policy['id']}/bandwidth_limit_rules",
        {"bandwidth_limit_rule": {"max_kbps": 30000, "direction": "egress"}})
    port = stack.cloud.port("compute1")
    fip = stack.cloud.floating_ip(port)
    stack.serves(fip, port, "compute1")
    external = stack.cloud.external["id"]
    stack.neutron.update("network", external, qos_policy_id=policy["id"])
    try:
        stack.serves(fip, port, "compute1", limits={"out_bits": 30_000_000})
    finally:
        stack.neutron.update("network", external, qos_policy_id=None)
    stack.serves(fip, port, "compute1")
