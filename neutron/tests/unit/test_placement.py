"""Where a floating IP should be: the pure function."""
import dataclasses

from networking_fipd.placement import (
    Binding, FloatingIp, Forward, index_value, place, Port)
import pytest

PORT = Port("9a7e0868-da11-4000-8000-000000000001", addresses=("10.65.0.13",),
            bindings=(Binding("compute1"),))
OTHER = dataclasses.replace(PORT, id="beef0868-da11-4000-8000-000000000001",
                            addresses=("10.65.0.14",))
FIP = FloatingIp("f1", "172.16.1.3", port=PORT, fixed="10.65.0.13")
VALUE = {"floating": "172.16.1.3", "fixed": "10.65.0.13", "id": "f1", "port": PORT.id,
         "interface": "tap9a7e0868-da"}


def with_port(**changes):
    return dataclasses.replace(FIP, port=dataclasses.replace(PORT, **changes))


def bound(*bindings):
    return place(with_port(bindings=bindings))


def forwarded(*forwards):
    return place(FloatingIp("f2", "172.16.1.4", forwards=forwards))


def test_a_bound_port_puts_it_on_the_ports_host():
    assert place(FIP).hosts == {"compute1": VALUE}
    assert place(FIP).serving == "compute1"


def test_the_interface_is_left_to_the_host_where_the_configuration_says_so():
    assert "interface" not in place(FIP, "route").hosts["compute1"]


def test_without_port_and_forwards_it_is_nowhere_and_needs_no_reason():
    placed = place(FloatingIp("f1", "172.16.1.3"))
    assert placed.hosts == {} and placed.reason == "" and not placed.failed


@pytest.mark.parametrize("fip, reason, failed", [
    (with_port(up=False), "administratively down", False),
    (with_port(network_up=False), "network of port", False),
    (with_port(bindings=()), "bound to no host", False),
    (with_port(bindings=(Binding(""),)), "bound to no host", False),
    (dataclasses.replace(FIP, router_up=False), "router is administratively down", False),
    (dataclasses.replace(FIP, router_has_gateway=False), "no external gateway", False),
    (dataclasses.replace(with_port(addresses=("10.65.0.1", "10.65.0.2"))), "no longer has", True),
    (dataclasses.replace(with_port(addresses=("fd00::1",))), "no longer has", True),
])
def test_it_says_why_it_is_nowhere(fip, reason, failed):
    placed = place(fip)
    assert placed.hosts == {} and reason in placed.reason and placed.failed == failed
    assert index_value(fip, placed)["reason"] == placed.reason


def test_a_failed_binding_or_an_unbound_vif_does_not_withdraw():
    assert list(bound(Binding("compute1", vif_type="unbound")).hosts) == ["compute1"]


def test_a_bound_inactive_binding_is_the_target_of_a_migration():
    placed = bound(Binding("compute1"), Binding("compute2", "INACTIVE", "tap"))
    assert placed.hosts == {"compute1": {**VALUE, "role": "source", "peer": "compute2"},
                            "compute2": {**VALUE, "role": "target", "peer": "compute1"}}
    assert placed.serving == "compute1"


def test_the_binding_that_activation_left_behind_is_no_target():
    assert bound(Binding("compute2"), Binding("compute1", "INACTIVE", "unbound")).hosts == {
        "compute2": VALUE}


def test_migrating_to_its_own_host_is_no_migration():
    assert bound(Binding("compute1", migrating_to="compute1")).hosts == {"compute1": VALUE}


def test_a_ports_single_new_address_is_followed_but_never_another_ports():
    placed = place(with_port(addresses=("10.65.0.99", "fd00::1")))
    assert placed.hosts["compute1"]["fixed"] == "10.65.0.99" and "no longer" in placed.note


@pytest.mark.parametrize("created, siblings, primary", [
    ("2026-01-02", (), None),
    ("2026-01-02", (("2026-01-01", "f0"),), None),
    ("2026-01-02", (("2026-01-03", "f0"),), True),
    ("2026-01-02", (("2026-01-02", "f0"),), None),
    ("2026-01-02", (("2026-01-02", "f2"),), True),
])
def test_exactly_the_oldest_of_several_on_one_address_is_primary(created, siblings, primary):
    fip = dataclasses.replace(FIP, created=created, siblings=siblings)
    assert place(fip).hosts["compute1"].get("primary") is primary


def test_neutrons_ingress_is_towards_the_instance_and_its_units_are_kilobits():
    fip = dataclasses.replace(FIP, limits=(("ingress", 1000, 80), ("egress", 2000, 0)))
    assert place(fip).hosts["compute1"]["limits"] == {
        "in_bits": 1_000_000, "in_burst": 10_000, "out_bits": 2_000_000}


@pytest.mark.parametrize("rate", [1, 7, 8, 256, 523, 524, 525, 100_000_000, 2**31 - 1])
@pytest.mark.parametrize("burst", [0, 1, 205, 524, 525, 32_000_000, 2**31 - 1])
def test_whatever_neutron_allows_as_a_limit_fipd_takes_and_it_is_as_near_as_can_be(rate, burst):
    fip = dataclasses.replace(FIP, limits=(("egress", rate, burst),))
    limits = place(fip).hosts["compute1"]["limits"]
    bits, most = limits["out_bits"], limits.get("out_burst", 0)
    # As daemon/state/extras_draft.cc has it.
    assert 8_000 <= bits <= 100_000_000_000 and 0 <= most <= 4_000_000_000
    assert not most or bits // 8 + most >= 65536
    assert bits == rate * 1000 or not 8 <= rate <= 100_000_000
    assert most == burst * 125 or most in (65536 - bits // 8, 4_000_000_000)
    assert most == burst * 125 or not 65536 - bits // 8 <= burst * 125 <= 4_000_000_000


def test_forwards_have_fipds_form():
    placed = forwarded(Forward("tcp", PORT, "10.65.0.13", (443, 443), (8443, 8443)),
                       Forward("udp", PORT, "10.65.0.13", (5000, 5010), (6000, 6010)))
    assert placed.hosts["compute1"]["forwards"] == [
        "tcp/443=10.65.0.13:8443", "udp/5000-5010=10.65.0.13:6000-6010"]


def test_many_ports_to_one_are_written_one_by_one():
    placed = forwarded(Forward("tcp", PORT, "10.65.0.13", (80, 82), (8080, 8080)))
    assert placed.hosts["compute1"]["forwards"] == [
        f"tcp/{port}=10.65.0.13:8080" for port in (80, 81, 82)]


def test_forwards_to_several_instances_of_a_host_name_no_port():
    value = forwarded(Forward("tcp", PORT, "10.65.0.13", (80, 80), (80, 80)),
                      Forward("tcp", OTHER, "10.65.0.14", (81, 81), (80, 80))).hosts["compute1"]
    assert "port" not in value and "interface" not in value and len(value["forwards"]) == 2


def test_forwards_to_several_hosts_are_refused_with_both_named():
    elsewhere = dataclasses.replace(OTHER, bindings=(Binding("compute2"),))
    placed = forwarded(Forward("tcp", PORT, "10.65.0.13", (80, 80), (80, 80)),
                       Forward("tcp", elsewhere, "10.65.0.14", (81, 81), (80, 80)))
    assert placed.hosts == {} and placed.failed and "(compute1, compute2)" in placed.reason


def test_a_forward_that_cannot_be_does_not_take_the_others_along():
    down = dataclasses.replace(OTHER, up=False)
    placed = forwarded(Forward("tcp", PORT, "10.65.0.13", (80, 80), (80, 80)),
                       Forward("tcp", down, "10.65.0.14", (81, 81), (80, 80)))
    assert placed.hosts["compute1"]["forwards"] == ["tcp/80=10.65.0.13:80"]
    assert "administratively down" in placed.note


@pytest.mark.parametrize("protocol", ["icmp", "dccp", "ipv6-icmp"])
def test_a_protocol_that_fipd_does_not_forward_is_left_out_and_the_rest_goes_on(protocol):
    # fipd refuses a value that holds one, and would stay with the forwards it had.
    strange = Forward(protocol, PORT, "10.65.0.13", (1, 1), (1, 1))
    placed = forwarded(Forward("sctp", PORT, "10.65.0.13", (80, 80), (80, 80)), strange)
    assert placed.hosts["compute1"]["forwards"] == ["sctp/80=10.65.0.13:80"]
    assert protocol in placed.note
    alone = forwarded(strange)
    assert alone.hosts == {} and alone.failed and protocol in alone.reason


@pytest.mark.parametrize("last, failed", [(4096, False), (4097, True)])
def test_more_ports_than_fipd_takes_are_refused_here(last, failed):
    placed = forwarded(Forward("tcp", PORT, "10.65.0.13", (1, last), (1, last)))
    assert placed.failed == failed and bool(placed.hosts) != failed
