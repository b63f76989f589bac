"""The control_fixture program on a socket of its own, and what both tests from outside need."""
import contextlib
import os
import pathlib
import subprocess
import tempfile


class Fixture:
    def __init__(self, socket):
        self.socket = socket

    def curl(self, target, *arguments):
        """Status and body, by the documented way: curl --unix-socket."""
        done = subprocess.run(
            ["curl", "-sS", "--max-time", "20", "--unix-socket", self.socket, "-w", "\n%{http_code}",
             *arguments, f"http://fipd{target}"],
            capture_output=True, text=True, timeout=30, check=True)
        body, _, status = done.stdout.rpartition("\n")
        return int(status), body


@contextlib.contextmanager
def running(*options):
    with tempfile.TemporaryDirectory(prefix="fipd-fixture-") as folder:
        os.chmod(folder, 0o755)
        socket = str(pathlib.Path(folder) / "fipd.sock")
        process = subprocess.Popen([os.environ["FIXTURE"], socket, *options],
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            assert process.stdout.readline() == "ready\n"
            yield Fixture(socket)
        finally:
            process.stdin.close()
            assert process.wait(timeout=10) == 0
            process.stdout.close()
