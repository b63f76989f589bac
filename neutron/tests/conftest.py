"""The Neutron part's tests share the support modules and options of all other tests."""
import importlib.util
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.dirname(HERE))

_spec = importlib.util.spec_from_file_location("fipd_shared_conftest",
                                               os.path.join(ROOT, "tests", "conftest.py"))
_shared = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_shared)
pytest_addoption = _shared.pytest_addoption
pytest_configure = _shared.pytest_configure
pytest_collection_modifyitems = _shared.pytest_collection_modifyitems
pytest_runtest_makereport = _shared.pytest_runtest_makereport
