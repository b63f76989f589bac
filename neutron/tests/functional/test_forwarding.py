"""Port forwardings of floating IPs, from the real Neutron to the real etcd."""
import pytest
from waiting import wait_for

pytestmark = pytest.mark.slow


def forward(stack, fip, port, outer, inner, protocol="tcp"):
    """outer, inner: a port, or "first:last"."""
    ranges = "_range" if isinstance(outer, str) else ""
    return stack.neutron.api(
        "POST", f"/v2.0/floatingips/{fip['id']}/port_forwardings", {"port_forwarding": {
            "protocol": protocol, "internal_port_id": port["id"],
            "internal_ip_address": stack.fixed(port),
            f"external_port{ranges}": outer, f"internal_port{ranges}": inner}})["port_forwarding"]


def unforward(stack, fip, forwarding):
    stack.neutron.api("DELETE",
                      f"/v2.0/floatingips/{fip['id']}/port_forwardings/{forwarding['id']}")


def value(fip, forwards, **more):
    return {"floating": fip["floating_ip_address"], "id": fip["id"], "forwards": forwards, **more}


def test_a_forward_and_a_range_to_one_instance(stack):
    port, fip = stack.cloud.port("compute1"), stack.cloud.floating_ip()
    forward(stack, fip, port, 443, 8443)
    forward(stack, fip, port, "5000:5010", "6000:6010", "udp")
    fixed = stack.fixed(port)
    stack.becomes(fip, {"compute1": value(
        fip, [f"tcp/443={fixed}:8443", f"udp/5000-5010={fixed}:6000-6010"],
        port=port["id"], interface="tap" + port["id"][:11])})


def test_forwards_to_two_instances_on_one_host_name_no_port(stack):
    one, two, fip = stack.cloud.port("compute1"), stack.cloud.port("compute1"), \
        stack.cloud.floating_ip()
    forward(stack, fip, one, 80, 80)
    forward(stack, fip, two, 81, 80)
    stack.becomes(fip, {"compute1": value(
        fip, [f"tcp/80={stack.fixed(one)}:80", f"tcp/81={stack.fixed(two)}:80"])})


def test_forwards_to_several_hosts_are_on_none_and_the_state_says_why(stack):
    one, two, fip = stack.cloud.port("compute1"), stack.cloud.port("compute2"), \
        stack.cloud.floating_ip()
    forward(stack, fip, one, 80, 80)
    stack.becomes(fip, {"compute1": value(fip, [f"tcp/80={stack.fixed(one)}:80"], port=one["id"],
                                          interface="tap" + one["id"][:11])})
    other = forward(stack, fip, two, 81, 80)
    stack.is_nowhere(fip, "several hosts (compute1, compute2)")
    stack.has_status(fip, "ERROR")
    unforward(stack, fip, other)
    stack.becomes(fip, {"compute1": value(fip, [f"tcp/80={stack.fixed(one)}:80"], port=one["id"],
                                          interface="tap" + one["id"][:11])})


def test_a_protocol_that_fipd_does_not_forward_is_left_out_and_does_not_hold_up_the_others(stack):
    port, fip = stack.cloud.port("compute1"), stack.cloud.floating_ip()
    ssh = forward(stack, fip, port, 22, 22)
    told = dict(port=port["id"], interface="tap" + port["id"][:11])
    stack.becomes(fip, {"compute1": value(fip, [f"tcp/22={stack.fixed(port)}:22"], **told)})
    forward(stack, fip, port, 1, 1, "icmp")
    wait_for(lambda: f"{fip['id']}: icmp cannot be forwarded" in stack.neutron.process.text(), 15,
             "the log has the reason")
    https = forward(stack, fip, port, 443, 443)
    stack.becomes(fip, {"compute1": value(fip, [f"tcp/22={stack.fixed(port)}:22",
                                                f"tcp/443={stack.fixed(port)}:443"], **told)})
    for each in (ssh, https):
        unforward(stack, fip, each)
    stack.is_nowhere(fip, "icmp cannot be forwarded")
    stack.has_status(fip, "ERROR")


def test_forwards_go_with_the_last_of_them_and_with_their_port(stack):
    port, fip = stack.cloud.port("compute1"), stack.cloud.floating_ip()
    first = forward(stack, fip, port, 80, 80)
    forward(stack, fip, port, 81, 81)
    unforward(stack, fip, first)
    stack.becomes(fip, {"compute1": value(fip, [f"tcp/81={stack.fixed(port)}:81"],
                                          port=port["id"], interface="tap" + port["id"][:11])})
    stack.neutron.delete("port", port["id"])
    stack.is_nowhere(fip, timeout=4)


def test_forwards_follow_their_instances_host(stack):
    port, fip = stack.cloud.port("compute1"), stack.cloud.floating_ip()
    forward(stack, fip, port, 80, 80)
    told = value(fip, [f"tcp/80={stack.fixed(port)}:80"], port=port["id"],
                 interface="tap" + port["id"][:11])
    stack.becomes(fip, {"compute1": told})
    stack.neutron.update("port", port["id"], **{"binding:host_id": "compute2"})
    stack.becomes(fip, {"compute2": told})
