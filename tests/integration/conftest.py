"""Topologies for the tests. `topology` is shared by a module and left as clean as it was found."""
import pytest

from topology import Topology


@pytest.fixture(scope="module")
def shared_topology():
    made = Topology()
    yield made
    made.close()


@pytest.fixture
def topology(shared_topology):
    """One compute host with fipd running and no binding, before the test and after it."""
    yield shared_topology
    restore(shared_topology)


@pytest.fixture
def own_topology():
    """For tests that break things: nobody else's."""
    made = Topology()
    yield made
    made.close()


@pytest.fixture(scope="module")
def shared_two_hosts():
    made = Topology(hosts=2)
    yield made
    made.close()


@pytest.fixture
def two_hosts(shared_two_hosts):
    yield shared_two_hosts
    restore(shared_two_hosts)


# Of the modules that name their `Cloud`.


@pytest.fixture
def cloud(request):
    """For tests that break things: nobody else's, and not started."""
    made = request.module.Cloud()
    yield made
    made.close()


@pytest.fixture(scope="module")
def shared_cloud(request):
    made = request.module.Cloud().start()
    yield made
    made.close()


@pytest.fixture
def running(shared_cloud):
    yield shared_cloud
    shared_cloud.clear()


def restore(topology):
    for host in topology.hosts:
        if host.fipd.process is None or not host.fipd.process.alive():
            host.fipd.start()
        host.fipd.clear()
        # Connections of one test must not be those of the next.
        host.namespace.run("conntrack", "-F", check=False)
