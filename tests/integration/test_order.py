"""Order is a promise: never a route whose floating IP could not be translated."""
import ipaddress
import os
import random

import pytest

import kernel
import namespaces
from waiting import wait_for

SAMPLER = os.path.join(os.path.dirname(os.path.abspath(namespaces.__file__)),
                       "untranslated_sampler.py")


def test_there_is_never_a_route_without_its_nat_entry_in_200_adds_and_removes(topology):
    host = topology.host.namespace
    sampler = topology.lab.start("order-sampler", ["/usr/bin/python3", SAMPLER], host)
    wait_for(lambda: "sampling" in sampler.text(), 5, "the sampler runs")
    targets = [topology.instance.fixed, topology.neighbour.fixed]
    for number in range(100):
        topology.fipd.add(f"172.16.2.{number}", targets[number % 2])
        if number >= 10:
            topology.fipd.remove(f"172.16.2.{number - 10}")
    for number in range(90, 100):
        topology.fipd.remove(f"172.16.2.{number}")
    wait_for(lambda: not kernel.routes(host), 10, "all routes are gone")
    sampler.stop()
    report = sampler.text()
    assert "untranslated" not in report, report
    assert int(report.split("with-routes")[1]) > 100, f"the sampler was too slow: {report}"


@pytest.mark.slow
def test_1000_adds_and_removes_in_random_order_end_as_the_model_says(topology):
    chance = random.Random(20240229)
    targets = [topology.instance.fixed, topology.neighbour.fixed]
    targets6 = [topology.instance.fixed6, topology.neighbour.fixed6]
    pool = [f"172.16.3.{number}" for number in range(40)]
    pool += [f"2001:db8:1::{number:x}" for number in range(0x300, 0x328)]
    model = {}
    for _ in range(1000):
        floating = chance.choice(pool)
        if floating in model and chance.random() < 0.5:
            topology.fipd.remove(floating)
            del model[floating]
        else:
            model[floating] = chance.choice(targets6 if ":" in floating else targets)
            topology.fipd.add(floating, model[floating], "--replace")
    assert_kernel_is(topology, model)
    topology.fipd.restart(kill=True)
    assert_kernel_is(topology, model)
    assert {row["floating"]: row["fixed"] for row in topology.fipd.rows()
            if row["state"] != "withdrawing"} == model
    wait_for(lambda: all(topology.is_routed(floating) == (floating in model) for floating in pool),
             10, "the router has what the model has")


def assert_kernel_is(topology, model):
    host = topology.host.namespace
    taps = {instance.fixed: instance.tap for instance in topology.host.instances}
    taps.update({instance.fixed6: instance.tap for instance in topology.host.instances})
    wait_for(lambda: kernel.translations(host) == model, 15, "the NAT is as the model says")
    wait_for(lambda: kernel.routes(host) == {floating: (taps[fixed], 1024)
                                             for floating, fixed in model.items()}, 5,
             "the routes are as the model says")
    lowest = {}
    for floating, fixed in model.items():
        if fixed not in lowest or _number(floating) < _number(lowest[fixed]):
            lowest[fixed] = floating
    wait_for(lambda: kernel.outbound(host) == lowest, 5, "instances send from their lowest")


def _number(address):
    return int(ipaddress.ip_address(address))
