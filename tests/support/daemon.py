"""fipd and fipctl as a test sees them: started from the build, with everything in the lab's folder."""
import json
import os
import signal
import socket
import subprocess
import time

from bird import SOURCE
from namespaces import Failed
from waiting import wait_for

BUILD = os.environ.get("FIPD_BUILD", f"{SOURCE}/build/release")
FIPD = f"{BUILD}/daemon/fipd"
FIPCTL = f"{BUILD}/daemon/control/fipctl/fipctl"

# Exit codes of fipctl, as in the design.
OK, REFUSED_BY_KERNEL, USAGE, NOT_FOUND, NOT_PERMITTED, CONFLICT, BAD_INPUT, UNREACHABLE, \
    WAIT_RAN_OUT, DEGRADED = range(10)


class Answer:
    """What fipctl said: exit code, output, and the output as JSON where --json was asked."""

    def __init__(self, done):
        self.code = done.returncode
        self.out = done.stdout
        self.err = done.stderr

    @property
    def json(self):
        return json.loads(self.out)

    @property
    def text(self):
        return self.out + self.err

    def __repr__(self):
        return f"exit {self.code}: {self.text.strip()}"


class Fipd:
    """One fipd in one compute host's namespace."""

    def __init__(self, lab, namespace, name, bird_socket, pools):
        self.lab = lab
        self.namespace = namespace
        self.name = name
        self.folder = lab.file(f"{name}.d")
        self.binding_files = f"{self.folder}/floating-ips.d"
        os.makedirs(self.binding_files)
        self.config = f"{self.folder}/fipd.toml"
        self.socket = f"{self.folder}/fipd.sock"
        self.store = f"{self.folder}/fipd.db"
        self.process = None
        self.notified = []
        self._notify = None
        self.settings = {
            "host": {"name": name},
            "control": {"socket": self.socket, "group": "root"},
            "store": {"path": self.store},
            "nat": {"internal": ["10.65.0.0/16", "fd00:65::/64"]},
            "bird": {"socket": bird_socket},
            "pools": {"allowed": pools},
            "files": {"directory": self.binding_files},
            "log": {"level": "debug"},
        }
        self.write_config()

    def write_config(self, extra=""):
        """fipd.toml from self.settings. JSON values are TOML values for what is used here."""
        lines = []
        for section, values in self.settings.items():
            lines.append(f"[{section}]")
            lines += [f"{key} = {json.dumps(value)}" for key, value in values.items()]
        with open(self.config, "w") as config:
            config.write("\n".join(lines) + "\n" + extra)

    # Start and end.

    def start(self, ready=True, environment=None, wrap=()):
        self._notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        path = f"{self.folder}/notify"
        if os.path.exists(path):
            os.unlink(path)
        self._notify.bind(path)
        os.chmod(path, 0o777)  # as the service manager's
        self._notify.setblocking(False)
        self.notified = []
        self.process = self.lab.start(
            self.name, [*wrap, FIPD, "--config", self.config], self.namespace,
            env={**os.environ, "NOTIFY_SOCKET": path, **(environment or {})})
        if ready:
            self.wait_ready()

    def read_notifications(self):
        """Everything that was sent to the notify socket since the start, one assignment each."""
        while True:
            try:
                self.notified += self._notify.recv(4096).decode().split("\n")
            except BlockingIOError:
                return self.notified

    def wait_ready(self, timeout=20):
        wait_for(lambda: "READY=1" in self.read_notifications() or not self.process.alive(),
                 timeout, lambda: f"fipd is ready\n{self.process.text()}")
        if "READY=1" not in self.read_notifications():
            raise Failed(f"fipd ended with {self.process.popen.returncode} before it was ready\n"
                         f"{self.process.text()}")

    def stop(self):
        code = self.process.stop()
        assert code == 0, f"fipd ended with {code} on SIGTERM\n{self.process.text()}"

    def kill(self):
        self.process.kill()

    def restart(self, kill=False):
        self.kill() if kill else self.stop()
        self.start()

    def hangup(self):
        self.process.send(signal.SIGHUP)

    def log(self):
        return self.process.text()

    def wait_log(self, *words, timeout=5, since=0):
        """A log line that holds all words."""
        def found():
            for line in self.log()[since:].splitlines():
                if all(word in line for word in words):
                    return line
            return None
        return wait_for(found, timeout, f"a log line with {words}", 0.02)

    def check(self):
        """fipd --check on the present configuration: (exit code, what it says)."""
        done = subprocess.run([FIPD, "--config", self.config, "--check"], text=True, timeout=20,
                              capture_output=True)
        return done.returncode, done.stdout + done.stderr

    # fipctl.

    def ctl(self, *words, stdin=None, timeout=60, prefix=()):
        command = [*prefix, FIPCTL, "--socket", self.socket, *map(str, words)]
        done = subprocess.run(command, input=stdin, text=True, timeout=timeout, capture_output=True,
                              stdin=subprocess.DEVNULL if stdin is None else None)
        return Answer(done)

    def add(self, floating, fixed, *words):
        answer = self.ctl("add", floating, fixed, *words)
        assert answer.code == OK, f"fipctl add {floating} {fixed} {words}: {answer!r}"
        return answer

    def announce(self, floating, fixed, *words):
        return self.add(floating, fixed, "--wait=announced", *words)

    def remove(self, floating):
        answer = self.ctl("rm", floating)
        assert answer.code == OK, f"fipctl rm {floating}: {answer!r}"

    def clear(self):
        """Removes every binding that came through the API; returns when all are gone."""
        for row in self.rows():
            if row["source"] == "api" and row["state"] != "withdrawing":
                self.ctl("rm", row["floating"])
        wait_for(lambda: not [row for row in self.rows()
                              if row["source"] == "api" or row["state"] == "withdrawing"], 15,
                 lambda: f"all API bindings are gone, but {self.rows()}")

    def rows(self):
        answer = self.ctl("ls", "--json")
        assert answer.code in (OK, DEGRADED), f"fipctl ls: {answer!r}"
        return answer.json["floating_ips"]

    def row(self, floating):
        """The first row of a floating IP in `ls` (the winner), or None."""
        return next((row for row in self.rows() if row["floating"] == floating), None)

    def state(self, floating):
        row = self.row(floating)
        return row["state"] if row else None

    def shown(self, floating):
        """The winner's row by `fipctl show`, which asks BIRD just now; None where there is none."""
        answer = self.ctl("show", floating, "--json")
        return None if answer.code == NOT_FOUND else answer.json

    def wait_state(self, floating, state, timeout=5):
        """Waits for a state (None: gone). Returns the row."""
        def is_there():
            row = self.shown(floating)
            if state is None:
                return row is None
            return row is not None and row["state"] == state and row
        return wait_for(is_there, timeout,
                        lambda: f"{floating} is {state}: {self.shown(floating)}", 0.02)

    # Binding files.

    def write_bindings(self, name, pairs):
        """A binding file, replaced by rename as an editor does."""
        text = "".join(f'[[floating_ip]]\nfloating = "{floating}"\nfixed = "{fixed}"\n\n'
                       for floating, fixed in pairs) or "floating_ip = []\n"
        path = f"{self.binding_files}/{name}"
        with open(f"{path}.new~", "w") as out:
            out.write(text)
        os.rename(f"{path}.new~", path)
        return path

    def remove_file(self, name):
        os.unlink(f"{self.binding_files}/{name}")

    def quiet(self, seconds=0.3):
        """Lets events of what was done before come through."""
        time.sleep(seconds)
