"""A steady probe of an address: echo requests at 500 a second and more, and what became of them."""
import re
import signal


class Probe:
    """ICMP echo each millisecond, as far as `ping` keeps up; finish() comes before the results."""

    _serial = 0

    def __init__(self, lab, namespace, address):
        Probe._serial += 1
        self.sent = self.received = 0
        self.longest_gap = 0.0     # seconds between two answers
        self._process = lab.start(f"probe-{Probe._serial}",
                                  ["ping", "-n", "-D", "-i", "0.001", address], namespace)

    def answers(self):
        return len(re.findall(r"bytes from", self._process.text()))

    def finish(self):
        self._process.send(signal.SIGINT)
        self._process.popen.wait(10)
        text = self._process.text()
        found = re.search(r"(\d+) packets transmitted, (\d+) received", text)
        assert found, text[-500:]
        self.sent, self.received = int(found[1]), int(found[2])
        times = [float(each) for each in re.findall(r"(?m)^\[([\d.]+)\] \d+ bytes from", text)]
        self.longest_gap = max((after - before for before, after in zip(times, times[1:])),
                               default=0.0)
        return self

    @property
    def lost(self):
        return self.sent - self.received
