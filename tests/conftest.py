"""What all Python tests share: the support modules on the path, --quick and --full, logs of failed tests."""
import os
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "support"))

import namespaces  # noqa: E402

namespaces.close_on_signals()


def pytest_addoption(parser):
    parser.addoption("--quick", action="store_true", help="leave out the tests marked slow")
    parser.addoption("--full", action="store_true", help="besides: the tests marked full")


def pytest_configure(config):
    config.addinivalue_line("markers", "slow: takes more than some seconds; not in --quick")
    config.addinivalue_line("markers", "full: needs what takes long to get; only in --full")


def pytest_collection_modifyitems(config, items):
    for mark, left_out in (("slow", config.getoption("--quick")),
                           ("full", not config.getoption("--full"))):
        if left_out:
            marked = [item for item in items if item.get_closest_marker(mark)]
            config.hook.pytest_deselected(items=marked)
            items[:] = [item for item in items if item not in marked]


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
