"""`cmake --install` puts everything in its place, and never over what a site has edited."""
import os
import subprocess

import pytest

from bird import SOURCE
from daemon import BUILD


def install(folder):
    done = subprocess.run(["cmake", "--install", BUILD, "--prefix", "/usr"], text=True, timeout=60,
                          capture_output=True, env={**os.environ, "DESTDIR": str(folder)})
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """Configured with the prefix of a package, because the unit holds the daemon's path."""
    folder = tmp_path_factory.mktemp("root")
    install(folder)
    return folder


@pytest.mark.parametrize("path", [
    "usr/sbin/fipd", "usr/bin/fipctl", "etc/fipd/fipd.toml", "etc/bird/fipd.conf",
    "etc/bird/fipd-local.conf", "etc/iproute2/rt_tables.d/fipd.conf",
    "etc/iproute2/rt_protos.d/fipd.conf", "usr/share/bash-completion/completions/fipctl",
    "usr/share/doc/fipd/LICENSE", "usr/share/doc/fipd/README.md",
    "usr/share/doc/fipd/openapi.yaml", "usr/share/doc/fipd/examples/own-session.conf",
    "usr/share/doc/fipd/examples/pipe.conf", "usr/share/doc/fipd/examples/route-reflector.conf",
    "usr/share/doc/fipd/examples/two-tors.conf", "usr/share/doc/fipd/examples/two-tors-bond.conf",
    "usr/share/doc/fipd/examples/two-tors-pipe.conf"])
def test_the_installation_has(installed, path):
    assert os.path.getsize(installed / path) > 0


@pytest.mark.parametrize("path", ["systemd/system/fipd.service", "sysusers.d/fipd.conf",
                                  "tmpfiles.d/fipd.conf", "modules-load.d/fipd.conf"])
def test_the_installation_has_for_systemd(installed, path):
    assert (installed / "usr/lib" / path).read_text().strip()


def test_the_unit_starts_the_daemon_that_was_installed(installed):
    unit = (installed / "usr/lib/systemd/system/fipd.service").read_text()
    start = next(line for line in unit.splitlines() if line.startswith("ExecStart="))
    program, _, config = start[len("ExecStart="):].split()
    assert (installed / program[1:]).exists() and (installed / config[1:]).exists()


def test_the_installed_configuration_is_valid(installed):
    done = subprocess.run([str(installed / "usr/sbin/fipd"), "--config",
                           str(installed / "etc/fipd/fipd.toml"), "--check"], text=True,
                          capture_output=True, timeout=10)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_second_installation_keeps_what_the_site_has_edited(installed):
    edited = [installed / "etc/fipd/fipd.toml", installed / "etc/bird/fipd-local.conf"]
    before = [path.read_text() for path in edited]
    for path in edited:
        path.write_text("# edited\n")
    install(installed)
    assert [path.read_text() for path in edited] == ["# edited\n"] * 2
    for path, text in zip(edited, before):
        path.write_text(text)


def test_ip_route_knows_the_names_of_table_and_protocol(installed):
    with open(f"{SOURCE}/conf/iproute2/rt_tables.d/fipd.conf") as names:
        assert names.read().split("\n")[-2].split() == ["172", "fipd"]
    assert (installed / "etc/iproute2/rt_protos.d/fipd.conf").read_text().split()[-2:] == ["172",
                                                                                         "fipd"]
