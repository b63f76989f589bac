"""The API under uWSGI, everything else in neutron-rpc-server: how Debian runs Neutron."""
import json

from neutron_server import SplitNeutron
import pytest
from stack import PREFIX
from waiting import wait_for

pytestmark = pytest.mark.slow


@pytest.mark.full
def test_changes_are_written_and_somebody_leads_where_uwsgi_serves_the_api(fresh):
    # No comparison but the first: what is written later was written by the API's process.
    stack = fresh(server=SplitNeutron, settings={"networking_fipd": {"compare_interval": 3600}})
    stack.with_cloud()
    wait_for(lambda: stack.etcd.get(PREFIX + "ready"), 30, "the first comparison")
    port = stack.cloud.port("compute1")
    fips = [stack.cloud.floating_ip(port)] + [
        stack.cloud.floating_ip(stack.cloud.port("compute2")) for _ in range(5)]
    for fip in fips[1:]:
        wait_for(lambda: list(stack.hosts(fip)) == ["compute2"], 15, "written")
    stack.serves(fips[0], port, "compute1")
    for fip in fips:
        stack.neutron.update("floatingip", fip["id"], port_id=None)
        stack.is_nowhere(fip)
    leader = json.loads(stack.etcd.get(PREFIX + "leader"))["by"]
    assert f" {leader.split(':')[1]} " in stack.lab.logs(2000)
