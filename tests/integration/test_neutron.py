"""From the real Neutron over the real etcd to two compute hosts, the router and the client: what
happens to a floating IP there, and what both hosts' kernels then hold."""
import contextlib

import pytest

import kernel
import talk
from neutron_cloud import NeutronCloud
from neutron_server import Refused
from waiting import stays, wait_for

pytestmark = pytest.mark.slow


class Shared:
    """A cloud, and a server on each host that no test harms."""

    def __init__(self):
        self.cloud = NeutronCloud()
        self.one, self.two = (self.cloud.boot(host) for host in self.cloud.hosts)


@pytest.fixture(scope="module")
def shared():
    made = Shared()
    yield made
    made.cloud.close()


@pytest.fixture
def cloud(shared):
    yield shared.cloud
    shared.cloud.clear()


@pytest.fixture
def one(shared):
    return shared.one


@pytest.fixture
def two(shared):
    return shared.two


@contextlib.contextmanager
def booted(cloud, number, **fields):
    server = cloud.boot(cloud.hosts[number], **fields)
    yield server
    server.delete()


def test_openstack_floating_ip_set_port_makes_a_client_reach_the_instance(cloud, one):
    fip = cloud.floating_ip()
    cloud.neutron.openstack("floating", "ip", "set", "--port", one.port["id"], fip["id"])
    cloud.serves(fip, one)
    address = fip["floating_ip_address"]
    answer = talk.tcp(cloud.client, address)
    assert answer and answer["server"] == one.name
    # What the instance begins itself is seen under its floating IP.
    assert talk.tcp(one.namespace, "198.51.100.2")["peer"] == address
    cloud.has_status(fip, "ACTIVE")
    listed = cloud.neutron.openstack("network", "agent", "list", "-f", "value", "-c", "Host",
                                     "-c", "Binary", "-c", "Alive")
    assert {"compute1 True fipd", "compute2 True fipd"} <= {
        " ".join(line.split()) for line in listed.splitlines()}


def test_created_with_a_port_disassociated_associated_and_deleted(cloud, one):
    fip = cloud.floating_ip(one)
    cloud.serves(fip, one)
    cloud.associate(fip, None)
    cloud.is_nowhere(fip)
    cloud.has_status(fip, "DOWN")
    cloud.associate(fip, one)
    cloud.serves(fip, one)
    cloud.neutron.delete("floatingip", fip["id"])
    cloud.is_nowhere(fip)


def test_a_move_to_a_port_on_the_other_host_leaves_the_router_never_without_a_route(
        cloud, one, two):
    fip = cloud.floating_ip(one)
    cloud.serves(fip, one)
    monitor = kernel.Recorder(cloud.lab, cloud.topology.router, "ip")
    cloud.associate(fip, two)
    cloud.serves(fip, two)
    assert talk.tcp(cloud.client, fip["floating_ip_address"])["server"] == two.name
    written = [line for line in monitor.stop() if fip["floating_ip_address"] in line]
    assert written and not [line for line in written if line.startswith("Deleted")], written
    # The first host withdraws once the second is announced: what is left of it is only two's.
    assert [host.name for host in cloud.hosts
            if kernel.outbound(host.namespace)] == [two.host.name]


def test_the_floating_ip_of_a_deleted_port_is_on_no_host(cloud):
    with booted(cloud, 0) as server:
        fip = cloud.floating_ip(server)
        cloud.serves(fip, server)
    cloud.is_nowhere(fip)


def test_a_floating_ip_follows_the_host_of_its_port(cloud):
    with booted(cloud, 0) as server:
        fip = cloud.floating_ip(server)
        cloud.serves(fip, server)
        server.move(cloud.hosts[1])
        cloud.neutron.update("port", server.port["id"], **{"binding:host_id": "compute2"})
        cloud.serves(fip, server)
        assert talk.tcp(cloud.client, fip["floating_ip_address"])["server"] == server.name


def test_a_changed_fixed_ip_is_followed(cloud):
    with booted(cloud, 0) as server:
        fip = cloud.floating_ip(server)
        cloud.serves(fip, server)
        cloud.neutron.update("port", server.port["id"], fixed_ips=[
            {"subnet_id": cloud.model.subnet["id"], "ip_address": "10.65.0.231"}])
        server.namespace.ip("addr add 10.65.0.231/32 dev eth0")
        server.host.namespace.ip(f"route add 10.65.0.231 dev {server.tap} scope link")
        cloud.serves(fip, server, fixed="10.65.0.231")
        assert talk.tcp(cloud.client, fip["floating_ip_address"])["server"] == server.name


@pytest.mark.parametrize("kind", ["port", "network", "router"])
def test_what_is_administratively_down_is_served_by_nobody_until_it_is_up(cloud, one, kind):
    fip = cloud.floating_ip(one)
    cloud.serves(fip, one)
    ident = {"port": one.port, "network": cloud.model.network, "router": cloud.model.router}[kind]
    cloud.neutron.update(kind, ident["id"], admin_state_up=False)
    try:
        cloud.is_nowhere(fip)
    finally:
        cloud.neutron.update(kind, ident["id"], admin_state_up=True)
    cloud.serves(fip, one)


def test_a_gateway_cannot_be_taken_from_floating_ips_and_nothing_moves(cloud, one):
    fip = cloud.floating_ip(one)
    cloud.serves(fip, one)
    with pytest.raises(Refused):
        cloud.neutron.update("router", cloud.model.router["id"], external_gateway_info={})
    served = {one.host.name: (one.fixed, one.tap)}
    stays(lambda: cloud.kernels(fip["floating_ip_address"]) == served, 0.5, "all stays as it was")


def forwarding(cloud, fip, server, outside, inside=talk.PORT):
    return cloud.neutron.patiently("POST", f"/v2.0/floatingips/{fip['id']}/port_forwardings", {
        "port_forwarding": {"protocol": "tcp", "external_port": outside, "internal_port": inside,
                            "internal_port_id": server.port["id"],
                            "internal_ip_address": server.fixed}})["port_forwarding"]


def test_port_forwardings_reach_their_instances_and_wait_while_these_are_on_two_hosts(
        cloud, one, two):
    fip = cloud.floating_ip()
    address = fip["floating_ip_address"]
    with booted(cloud, 0) as third:
        forwarding(cloud, fip, one, 8001)
        forwarding(cloud, fip, third, 8002)
        wait_for(lambda: cloud.next_hop(address) == one.host.address, 20, "the router has it")
        assert talk.tcp(cloud.client, address, 8001)["server"] == one.name
        wait_for(lambda: (talk.tcp(cloud.client, address, 8002) or {}).get("server") == third.name,
                 10, "the second forward works")
        stray = forwarding(cloud, fip, two, 8003)
        wait_for(lambda: cloud.next_hop(address) is None, 20, "it is on no host")
        wait_for(lambda: not any("forward" in kernel.elements(host.namespace)
                                 for host in cloud.hosts), 20, "nothing is forwarded anywhere")
        reason = cloud.index(fip)["reason"]
        assert "compute1" in reason and "compute2" in reason
        cloud.has_status(fip, "ERROR")
        cloud.neutron.patiently(
            "DELETE", f"/v2.0/floatingips/{fip['id']}/port_forwardings/{stray['id']}")
        wait_for(lambda: cloud.next_hop(address) == one.host.address, 20, "the router has it again")
        assert talk.tcp(cloud.client, address, 8001)["server"] == one.name


@pytest.mark.parametrize("rate, burst", [(256, 205), (1, 1), (2**31 - 1, 2**31 - 1)])
def test_a_floating_ip_is_served_under_every_policy_that_neutron_takes(cloud, one, rate, burst):
    policy = cloud.neutron.create("policy", name="bandwidth")
    for direction in ("ingress", "egress"):
        cloud.neutron.patiently(
            "POST", f"/v2.0/qos/policies/{policy['id']}/bandwidth_limit_rules",
            {"bandwidth_limit_rule": {"max_kbps": rate, "max_burst_kbps": burst,
                                      "direction": direction}})
    cloud.serves(cloud.floating_ip(one, qos_policy_id=policy["id"]), one)


def test_two_floating_ips_on_the_two_addresses_of_a_port(cloud):
    subnet = {"subnet_id": cloud.model.subnet["id"]}
    with booted(cloud, 1, fixed_ips=[subnet, subnet]) as server:
        first, second = (each["ip_address"] for each in server.port["fixed_ips"])
        server.namespace.ip(f"addr add {second}/32 dev eth0")
        server.host.namespace.ip(f"route add {second} dev {server.tap} scope link")
        fips = [cloud.floating_ip(server, fixed_ip_address=fixed) for fixed in (first, second)]
        for fip, fixed in zip(fips, (first, second)):
            cloud.serves(fip, server, fixed=fixed)
            assert talk.tcp(cloud.client, fip["floating_ip_address"])["server"] == server.name


def test_an_address_of_the_external_networks_second_subnet(cloud, one):
    cloud.neutron.create("subnet", network_id=cloud.model.external["id"], cidr="172.16.77.0/24",
                         ip_version=4, enable_dhcp=False)
    fip = cloud.floating_ip(one, floating_ip_address="172.16.77.7")
    cloud.serves(fip, one)
    assert talk.tcp(cloud.client, "172.16.77.7")["server"] == one.name


def test_neutron_says_down_while_the_tap_is_away_and_active_when_it_is_there(cloud, one):
    fip = cloud.floating_ip(one)
    cloud.has_status(fip, "ACTIVE")
    one.instance.lower_tap()
    try:
        cloud.has_status(fip, "DOWN")
        assert cloud.next_hop(fip["floating_ip_address"]) is None
    finally:
        one.instance.raise_tap()
        one.namespace.ip("route replace 169.254.1.1 dev eth0 scope link",
                         "route replace default via 169.254.1.1 dev eth0")
    cloud.has_status(fip, "ACTIVE")
    cloud.serves(fip, one)


def test_neutron_says_error_where_the_host_refuses_and_down_where_no_fipd_has_the_hosts_name(
        cloud, one):
    cloud.neutron.create("subnet", network_id=cloud.model.external["id"], cidr="203.0.113.0/24",
                         ip_version=4, enable_dhcp=False)
    outside = cloud.floating_ip(one, floating_ip_address="203.0.113.7")
    cloud.has_status(outside, "ERROR")
    row = one.host.fipd.row("203.0.113.7")
    assert row["state"] == "refused" and "outside pools.allowed" in row["reason"]
    stray = cloud.floating_ip(None, port_id=cloud.model.port("compute9")["id"])
    wait_for(lambda: cloud.index(stray).get("hosts") == {"compute9": ""}, 10, "it is for compute9")
    cloud.has_status(stray, "DOWN")
    assert cloud.kernels(stray["floating_ip_address"]) == {}
