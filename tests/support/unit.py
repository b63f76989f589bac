"""A systemd unit's sandbox for the tests, where systemd is not process 1.

As a program, in a mount namespace of its own: `unit.py --enter UNIT ETC WRITABLE... -- COMMAND` becomes
COMMAND with what the unit gives its service: user, groups, capabilities, umask, a file system that is
read-only but for WRITABLE, and the filter of system calls. ETC holds the passwd and group that are seen.
"""
import errno
import os
import resource
import socket
import subprocess
import sys

# A path that is asked for just before COMMAND begins: a trace of failed calls shows where that was.
BEGINS = "/the-service-begins"


class Unit:
    def __init__(self, path):
        self.path = path
        self._lines = {}
        with open(path) as lines:
            for line in lines:
                key, equals, value = line.strip().partition("=")
                if equals and not line.startswith("#"):
                    self._lines.setdefault(key, []).append(value)

    def all(self, key):
        return " ".join(self._lines.get(key, [])).split()

    def one(self, key):
        word, = self.all(key)
        return word

    def capabilities(self, key):
        """In setpriv's words."""
        return ",".join(["-all", *(word.lower().replace("cap_", "+") for word in self.all(key))])

    def allowed_calls(self):
        """The lines count in their order, the first makes it a list of what is allowed, and @default is
        always on such a list: systemd.exec(5)."""
        lines = self._lines["SystemCallFilter"]
        assert not lines[0].startswith("~"), lines
        allowed = expand("@default")
        for line in lines:
            for word in line.lstrip("~").split():
                allowed = allowed - expand(word) if line[0] == "~" else allowed | expand(word)
        return allowed

    def wrap(self, trace, etc, *writable):
        """The words before a command that run it in the sandbox, with its failed calls in `trace`. The
        process remains one: strace -D is the child and not the parent."""
        return ["strace", "-D", "-f", "-qq", "-s80", "-e", "status=failed", "-o", trace, "unshare",
                "--mount", "--propagation", "private", sys.executable, os.path.abspath(__file__),
                "--enter", self.path, etc, *writable, "--"]

    # Two stages: only root can do the first, and setpriv in between could not do its own after the
    # second.

    def enter(self, etc, writable, command):
        for name in ("passwd", "group"):
            mount("--bind", f"{etc}/{name}", f"/etc/{name}")
        for folder in [*writable, "/proc/sys"]:
            mount("--bind", folder, folder)
        assert self.one("ProtectSystem") == "strict" and self.one("ProtectKernelTunables") == "yes"
        for read_only in ("/", "/proc/sys"):
            mount("-o", "remount,bind,ro", read_only)
        files = int(self.one("LimitNOFILE"))
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
        os.umask(int(self.one("UMask"), 8))
        os.environ.update(word.split("=", 1) for word in self.all("Environment"))
        ambient = self.capabilities("AmbientCapabilities")
        assert self.one("NoNewPrivileges") == "yes"
        os.execvp("setpriv", [
            "setpriv", "--reuid", self.one("User"), "--regid", self.one("Group"), "--groups",
            ",".join(self.all("SupplementaryGroups")), "--bounding-set",
            self.capabilities("CapabilityBoundingSet"), "--inh-caps", ambient, "--ambient-caps",
            ambient, "--no-new-privs", "--pdeathsig", "KILL", "--", sys.executable, __file__,
            "--filter", self.path, "--", *command])

    def filter(self, command):
        import seccomp  # Debian's python3-seccomp

        native = seccomp.Arch.NATIVE
        refused = seccomp.ERRNO(getattr(errno, self.one("SystemCallErrorNumber")))
        calls = seccomp.SyscallFilter(refused)
        for name in self.allowed_calls():
            # Below zero: the call of another architecture.
            if seccomp.resolve_syscall(native, name) >= 0:
                calls.add_rule(seccomp.ALLOW, name)
        families = seccomp.SyscallFilter(seccomp.ALLOW)
        allowed = {int(getattr(socket, name)) for name in self.all("RestrictAddressFamilies")}
        for family in set(range(64)) - allowed:
            families.add_rule(seccomp.ERRNO(errno.EAFNOSUPPORT), "socket",
                              seccomp.Arg(0, seccomp.EQ, family))
        families.load()
        calls.load()
        os.path.exists(BEGINS)
        os.execvp(command[0], command)


def expand(word):
    """The system calls of a group, and of the groups in it; of a call, itself."""
    if not word.startswith("@"):
        return {word}
    done = subprocess.run(["systemd-analyze", "syscall-filter", word], text=True, timeout=20,
                          capture_output=True, check=True)
    names = [line.strip() for line in done.stdout.splitlines()[1:]]
    return set().union(*(expand(name) for name in names if name and not name.startswith("#")))


def mount(*words):
    subprocess.run(["mount", *words], check=True, timeout=20)


def main(stage, path, *words):
    end = words.index("--")
    unit = Unit(path)
    if stage == "--enter":
        unit.enter(words[0], words[1:end], words[end + 1:])
    unit.filter(words[end + 1:])


if __name__ == "__main__":
    main(*sys.argv[1:])
