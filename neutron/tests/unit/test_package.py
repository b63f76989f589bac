"""What `pip install` puts beside Neutron, and the sample of the options."""
import os
import shutil
import subprocess

import pytest

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PYTHON = "/usr/bin/python3"


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    source = tmp_path_factory.mktemp("source") / "neutron"
    shutil.copytree(SOURCE, source, ignore=shutil.ignore_patterns("tests", "__pycache__"))
    target = tmp_path_factory.mktemp("target")
    done = subprocess.run(
        [PYTHON, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index",
         "--no-build-isolation", "--root-user-action=ignore", "--target", target, source],
        capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return target


def run(installed, *argv):
    env = {**os.environ, "PYTHONPATH": str(installed)}
    return subprocess.run(argv, env=env, capture_output=True, text=True, timeout=120, cwd="/")


def test_neutron_finds_the_plugin_by_the_name_of_the_documentation(installed):
    done = run(installed, PYTHON, "-c", """
from importlib import metadata
entry, = [each for each in metadata.entry_points(group="neutron.service_plugins")
          if each.name == "networking_fipd"]
print(entry.load().__name__)
""")
    assert done.stdout.strip() == "FipdPlugin", done.stderr


def test_the_tool_is_installed_and_explains_itself(installed):
    done = run(installed, PYTHON, installed / "bin" / "fipd-neutron-sync", "--help")
    assert done.returncode == 0 and "--repair" in done.stdout, done.stderr


def test_the_sample_file_is_what_the_generator_makes_of_the_options(installed):
    done = run(installed, "oslo-config-generator", "--namespace", "networking_fipd",
               "--wrap-width", "99")
    with open(os.path.join(SOURCE, "etc", "networking_fipd.conf.sample")) as sample:
        assert done.stdout == sample.read(), done.stderr
