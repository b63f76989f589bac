"""What all Python tests share: the support modules on the path, --quick, logs of failed tests."""
import os
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "support"))

import namespaces  # noqa: E402

namespaces.close_on_signals()


def pytest_addoption(parser):
    parser.addoption("--quick", action="store_true", help="leave out the tests marked slow")


def pytest_configure(config):
    config.addinivalue_line("markers", "slow: takes more than some seconds; not in --quick")


def pytest_collection_modifyitems(config, items):
    if config.getoption("--quick"):
        slow = [item for item in items if item.get_closest_marker("slow")]
        config.hook.pytest_deselected(items=slow)
        items[:] = [item for item in items if item not in slow]


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failed test shows what its topology looked like, and the ends of all logs."""
    outcome = yield
    report = outcome.get_result()
    if report.failed and report.when == "call":
        for value in getattr(item, "funcargs", {}).values():
            if hasattr(value, "report") and hasattr(value, "lab"):
                report.sections.append(("topology", value.report()))
                break
