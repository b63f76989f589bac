"""One etcd, one neutron-server and one cloud for all tests that do no harm to them."""
from namespaces import Lab
import pytest
from stack import Stack


@pytest.fixture(scope="session")
def stack():
    with Lab() as lab:
        # No comparison but the first: what these tests see, events have told.
        made = Stack(lab, settings={"networking_fipd": {
            "handover": 2, "compare_interval": 3600}}).with_cloud()
        yield made


@pytest.fixture
def fresh():
    """Stacks of the test's own, to be harmed: fresh(api_workers=2, ...)."""
    with Lab() as lab:
        yield lambda **options: Stack(lab, **options)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        for value in getattr(item, "funcargs", {}).values():
            if isinstance(value, Stack):
                report.sections.append(("logs", value.lab.logs(40)))
