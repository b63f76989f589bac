"""BIRD 2.17 and 3 of Debian 13 (trixie), for tests that ask what the newer versions make of fipd.

A debootstrap tree in build/trixie, made once (half a minute, 360 MB) and kept. Its programs run by
its own dynamic loader, in the tests' namespaces, with the tests' files.
"""
import os
import shutil
import subprocess

from bird import SOURCE

TREE = os.environ.get("FIPD_TRIXIE", f"{SOURCE}/build/trixie")
MIRROR = "http://deb.debian.org/debian"
LIBRARIES = "x86_64-linux-gnu"


class Absent(Exception):
    """Why there is no tree: a sentence."""


def _do(*argv, timeout=300):
    try:
        done = subprocess.run(argv, text=True, capture_output=True, timeout=timeout,
                              stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Absent(f"{argv[0]}: {error}") from error
    if done.returncode != 0:
        said = (done.stdout + done.stderr)[-300:]
        raise Absent(f"{' '.join(argv)}: exit {done.returncode}: {said}")


def prepare():
    """Makes the tree where it is missing. Absent where the packages cannot be had."""
    if os.path.exists(f"{TREE}/opt/bird3/usr/sbin/bird"):
        return
    fresh = f"{TREE}.new"
    shutil.rmtree(fresh, ignore_errors=True)
    try:
        _do("debootstrap", "--variant=minbase", "--include=bird2", "trixie", fresh, MIRROR)
        # The packages exclude each other: the second is unpacked only. They need the same libraries.
        _do("chroot", fresh, "sh", "-ec",
            "cd /root && apt-get -q download bird3 && dpkg -x bird3_*.deb /opt/bird3")
    except Absent:
        shutil.rmtree(fresh, ignore_errors=True)
        raise
    os.rename(fresh, TREE)


def _command(program):
    return (f"{TREE}/lib64/ld-linux-x86-64.so.2", "--library-path",
            f"{TREE}/lib/{LIBRARIES}:{TREE}/usr/lib/{LIBRARIES}", f"{TREE}{program}")


def bird(version):
    """The command that starts BIRD "2.17" or "3"."""
    return _command({"2.17": "/usr/sbin/bird", "3": "/opt/bird3/usr/sbin/bird"}[version])
