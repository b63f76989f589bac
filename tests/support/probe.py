"""A steady probe of an address: echo requests at 500 a second and more, and what became of them."""
import re
import signal

from waiting import wait_for

SEQUENCES = 1 << 16  # icmp_seq is 16 bits wide, RFC 792


class Probe:
    """ICMP echo each millisecond, as far as `ping` keeps up; finish() comes before the results."""

    _serial = 0

    def __init__(self, lab, namespace, address):
        Probe._serial += 1
        self.address = address
        self.sent = self.received = 0
        self.longest_gap = 0.0     # seconds between two answers
        self._process = lab.start(f"probe-{Probe._serial}",
                                  ["ping", "-n", "-D", "-i", "0.001", address], namespace)

    def answers(self):
        return len(re.findall(r"bytes from", self._process.text()))

    def finish(self):
        """The last request that counts is one that was answered after this call: of those that are
        under way when `ping` is ended nobody knows, and on a busy machine they are many."""
        before = self.answers()
        wait_for(lambda: self.answers() > before, 5, f"{self.address} answers at the end")
        self._process.send(signal.SIGINT)
        self._process.popen.wait(10)
        found = re.findall(r"(?m)^\[([\d.]+)\] \d+ bytes from .* icmp_seq=(\d+)", self._process.text())
        times = [float(time) for time, _ in found]
        answered = set(whole_sequence(int(number) for _, number in found))
        self.sent, self.received = max(answered), len(answered)
        self.longest_gap = max((after - before for before, after in zip(times, times[1:])),
                               default=0.0)
        return self

    @property
    def lost(self):
        return self.sent - self.received


def whole_sequence(numbers):
    """The running numbers of requests, from what 16 bits hold of them; from 1."""
    last = 0
    for number in numbers:
        ahead = (number - last + SEQUENCES // 2) % SEQUENCES - SEQUENCES // 2
        running = last + ahead
        last = max(last, running)
        yield running
