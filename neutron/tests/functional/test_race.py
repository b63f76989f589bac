"""Many changes at once over two API workers: etcd ends as the database is."""
import concurrent.futures
import json
import random

from neutron_server import Refused
import pytest
from stack import PREFIX

pytestmark = pytest.mark.slow

PORTS, FLOATING_IPS, CHANGES, CLIENTS = 12, 10, 200, 8


def change(stack, ports, fips, seed):
    """One change by chance. Neutron refuses some: two floating IPs on one address."""
    choice = random.Random(seed)
    fip, port = choice.choice(fips), choice.choice(ports)
    try:
        what = choice.randrange(4)
        if what == 0:
            stack.neutron.update("floatingip", fip["id"], port_id=None)
        elif what == 1:
            stack.neutron.update("port", port["id"],
                                 **{"binding:host_id": f"compute{choice.randrange(4)}"})
        else:
            stack.neutron.update("floatingip", fip["id"], port_id=port["id"])
    except Refused as refused:
        # 409: it is so already. 500: SQLite was locked too long, which is SQLite's way.
        assert refused.status in (404, 409, 500, 503), refused
        return False
    return True


def test_after_racing_changes_over_two_workers_etcd_equals_the_database(fresh):
    # No comparison helps: what is right must be so by the events alone.
    stack = fresh(api_workers=2, settings={
        "networking_fipd": {"compare_interval": 3600, "handover": 1}}).with_cloud()
    ports = [stack.cloud.port(f"compute{n % 4}") for n in range(PORTS)]
    fips = [stack.cloud.floating_ip() for _ in range(FLOATING_IPS)]
    with concurrent.futures.ThreadPoolExecutor(CLIENTS) as pool:
        done = list(pool.map(lambda seed: change(stack, ports, fips, seed), range(CHANGES)))
    assert sum(done) > CHANGES / 4, "most changes were refused"
    stack.settled()
    _equals_the_api(stack, fips)


def _equals_the_api(stack, fips):
    """Not by our own comparison: floating IPs and ports as the API shows them."""
    hosts = {port["id"]: port["binding:host_id"] for port in stack.neutron.list("port")}
    expected = {}
    for fip in stack.neutron.list("floatingip"):
        if fip["port_id"]:
            expected[f"{PREFIX}host/{hosts[fip['port_id']]}/fip/{fip['id']}"] = (
                fip["floating_ip_address"], fip["fixed_ip_address"], fip["port_id"])
    found = {key: (value["floating"], value["fixed"], value["port"])
             for key, value in stack.etcd.objects(PREFIX + "host/").items()
             if value.get("role") != "leaving"}
    assert found == expected, json.dumps([found, expected], indent=1)
