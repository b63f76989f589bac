"""Network namespaces, processes and temporary folders that never outlive the tests.

Names hold the pid of the test process: several may run at once, and what a killed one left
behind is swept by the next. Processes die with the test process (setpriv --pdeathsig).
"""
import atexit
import contextlib
import ctypes
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading

from waiting import wait_for

PREFIX = f"fipd-{os.getpid()}-"
RUN_NETNS = "/run/netns"
CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)
_open_labs = []


class Failed(AssertionError):
    """A command of the test's own ended with an error."""


def run(*argv, check=True, stdin=None, timeout=30, env=None):
    done = subprocess.run([str(part) for part in argv], input=stdin, text=True, timeout=timeout,
                          capture_output=True, env=env,
                          stdin=subprocess.DEVNULL if stdin is None else None)
    if check and done.returncode != 0:
        raise Failed(f"{' '.join(map(str, argv))}: exit {done.returncode}\n"
                     f"{done.stdout}{done.stderr}")
    return done


def _setns(fd):
    if _libc.setns(fd, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


class Namespace:
    def __init__(self, name):
        self.name = name
        self.path = f"{RUN_NETNS}/{name}"
        run("ip", "netns", "add", name)
        self.sysctl({"ipv4.conf.all.rp_filter": 0, "ipv4.conf.default.rp_filter": 0,
                     "ipv6.conf.all.accept_dad": 0, "ipv6.conf.default.accept_dad": 0,
                     "ipv6.conf.default.accept_ra": 0})
        self.ip("link set lo up")

    def prefix(self, *argv):
        # nsenter replaces itself by the command: its pid is the command's.
        return ["nsenter", f"--net={self.path}", "--", *map(str, argv)]

    def run(self, *argv, **options):
        return run(*self.prefix(*argv), **options)

    def ip(self, *lines, check=True):
        """Each line is the rest of an `ip` command; all of them in one process."""
        text = "\n".join(lines) + "\n"
        return run("ip", "-netns", self.name, "-batch", "-", stdin=text, check=check)

    def nft(self, text):
        return self.run("nft", "-f", "-", stdin=text)

    def sysctl(self, settings):
        lines = "".join(f"echo {value} > /proc/sys/net/{key.replace('.', '/')}\n"
                        for key, value in settings.items())
        self.run("sh", "-ec", lines)

    @contextlib.contextmanager
    def entered(self):
        """This thread is in the namespace: sockets made here belong to it for good."""
        with open("/proc/thread-self/ns/net", "rb") as home, open(self.path, "rb") as there:
            _setns(there.fileno())
            try:
                yield
            finally:
                _setns(home.fileno())

    def socket(self, family, kind, protocol=0):
        with self.entered():
            return socket.socket(family, kind, protocol)

    def delete(self):
        run("ip", "netns", "del", self.name, check=False)


class Process:
    """A long-running program, in a namespace or not, whose output goes to a log file."""

    def __init__(self, name, argv, log, namespace=None, env=None):
        self.name = name
        self.log = log
        command = namespace.prefix(*argv) if namespace else [str(part) for part in argv]
        with open(log, "ab") as out:
            self.popen = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "--", *command], stdin=subprocess.DEVNULL,
                stdout=out, stderr=subprocess.STDOUT, start_new_session=True, env=env)
        self.pid = self.popen.pid

    def alive(self):
        return self.popen.poll() is None

    def send(self, number):
        if self.alive():
            self.popen.send_signal(number)

    def kill(self):
        self.send(signal.SIGKILL)
        return self.popen.wait()

    def stop(self, timeout=5):
        """SIGTERM; a process that does not obey is killed and reported."""
        self.send(signal.SIGTERM)
        try:
            return self.popen.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise Failed(f"{self.name} did not end within {timeout} s of SIGTERM\n{self.text()}")

    def text(self):
        with open(self.log, errors="replace") as log:
            return log.read()


class Lab:
    """Owns namespaces, processes and one temporary folder; close() ends all of them."""

    def __init__(self):
        sweep()
        self.folder = tempfile.mkdtemp(prefix=PREFIX)
        os.chmod(self.folder, 0o755)
        self.namespaces = []
        self.processes = []
        self.at_close = []
        self._count = 0
        _open_labs.append(self)

    def namespace(self, role):
        serial = _open_labs.index(self) if self in _open_labs else 0
        made = Namespace(f"{PREFIX}{serial}-{role}")
        self.namespaces.append(made)
        return made

    def remove_namespace(self, namespace):
        """Its name may be used again."""
        self.namespaces.remove(namespace)
        namespace.delete()

    def file(self, name):
        return os.path.join(self.folder, name)

    def start(self, name, argv, namespace=None, env=None):
        process = Process(name, argv, self.file(f"{name}.log"), namespace, env)
        self.processes.append(process)
        return process

    def logs(self, lines=60):
        """The ends of all logs, for the report of a failed test."""
        parts = []
        for name in sorted(os.listdir(self.folder)):
            if name.endswith(".log"):
                with open(self.file(name), errors="replace") as log:
                    text = log.read().splitlines()[-lines:]
                parts.append(f"--- {name}\n" + "\n".join(text))
        return "\n".join(parts)

    def close(self):
        for action in reversed(self.at_close):
            with contextlib.suppress(Exception):
                action()
        self.at_close.clear()
        for process in reversed(self.processes):
            if process.alive():
                process.kill()
        for namespace in reversed(self.namespaces):
            namespace.delete()
        self.namespaces.clear()
        shutil.rmtree(self.folder, ignore_errors=True)
        if self in _open_labs:
            # The place stays taken: names are never used twice in one process.
            _open_labs[_open_labs.index(self)] = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def close_all():
    for lab in list(_open_labs):
        if lab is not None:
            lab.close()


atexit.register(close_all)


def close_on_signals():
    """SIGTERM and SIGHUP end the test process as Ctrl-C does: with everything cleaned up."""
    def interrupted(number, _):
        signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    for number in (signal.SIGTERM, signal.SIGHUP):
        if threading.current_thread() is threading.main_thread():
            signal.signal(number, interrupted)


def _is_alive(pid):
    return os.path.exists(f"/proc/{pid}")


def sweep():
    """Removes what test processes that are no more (kill -9) have left."""
    pattern = re.compile(r"fipd-(\d+)-")
    for folder, remove in ((RUN_NETNS, lambda n: run("ip", "netns", "del", n, check=False)),
                           (tempfile.gettempdir(), _remove_folder)):
        for name in os.listdir(folder) if os.path.isdir(folder) else []:
            found = pattern.match(name)
            if found and not _is_alive(int(found[1])):
                remove(name)


def _remove_folder(name):
    path = os.path.join(tempfile.gettempdir(), name)
    for point in sorted((line.split()[1] for line in open("/proc/mounts")), reverse=True):
        if point.startswith(path + "/"):
            run("umount", "-l", point, check=False)
    shutil.rmtree(path, ignore_errors=True)


def wait_for_socket(path, process, timeout=5):
    wait_for(lambda: os.path.exists(path) or not process.alive(), timeout,
             lambda: f"{process.name} makes {path}\n{process.text()}")
    assert process.alive(), f"{process.name} ended at once\n{process.text()}"
