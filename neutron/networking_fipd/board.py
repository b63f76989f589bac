"""What the fipd of all hosts say about themselves and their floating IPs, kept in memory.

Fed with the keys below status/ and with nothing else; no I/O. The leader has one.
"""
import collections
import time

from networking_fipd import keys
from networking_fipd import neutron_status as neutron

Report = collections.namedtuple("Report", "state reason")

SERVES = ("announced", "drained")
SERVES_WITHOUT_BIRD = ("translated", "routed")
FAILED = ("conflict", "refused", "failed")
LONG_AGO = float("-inf")


class Board:
    def __init__(self, names, grace, clock=time.monotonic):
        self._names = names
        self._grace = grace
        self._clock = clock
        self._started = clock()
        self.agents = {}       # host -> what it says
        self._gone = {}        # host -> when its key went; the start, where it was never seen
        self._reports = {}     # id -> {host: Report}

    def reset(self, items):
        """A complete snapshot: (key, text) of all there is. Returns the ids of which something else
        is said than before: no event told of it."""
        agents, self.agents = self.agents, {}
        reports, self._reports = self._reports, {}
        for key, text in items:
            self.take(key, text, False)
        for host in agents.keys() - self.agents.keys():
            self._gone[host] = self._clock()
        before, now = _without_bird(agents), _without_bird(self.agents)
        other = {host for host in before.keys() | now.keys() if before.get(host) != now.get(host)}
        return [fip_id for fip_id in reports.keys() | self._reports.keys()
                if reports.get(fip_id) != self._reports.get(fip_id)
                or not other.isdisjoint(self._reports[fip_id])]

    def take(self, key, text, deleted):
        """One key; returns the id of the floating IP whose status may be another now, or None."""
        whose = self._names.status_of(key)
        if whose is None:
            return None
        host, fip_id = whose
        value = None if deleted else keys.decoded(text)
        if fip_id is None:
            self._take_agent(host, value)
            return None
        if value is None:
            self._reports.get(fip_id, {}).pop(host, None)
            if not self._reports.get(fip_id):
                self._reports.pop(fip_id, None)
        else:
            self._reports.setdefault(fip_id, {})[host] = Report(
                str(value.get("state", "")), str(value.get("reason", "")))
        return fip_id

    def _take_agent(self, host, value):
        if value is None:
            if self.agents.pop(host, None) is not None:
                self._gone[host] = self._clock()
        else:
            self.agents[host] = value
            self._gone.pop(host, None)

    def overdue(self):
        """Hosts whose time of grace has ended since the last call."""
        now = self._clock()
        ended = [host for host, since in self._gone.items()
                 if since != LONG_AGO and now - since >= self._grace]
        self._gone.update(dict.fromkeys(ended, LONG_AGO))
        return ended

    def status(self, fip_id, index):
        """(status, reason) that Neutron should show; status None: leave it as it is.

        index: the value of the floating IP's index key, None where there is none.
        """
        if index is None:
            return neutron.DOWN, ""
        host = next((name for name, role in keys.hosts_of(index).items()
                     if role in keys.SERVING), None)
        if host is None:
            # Whoever wrote the index has told Neutron.
            return None, ""
        report = self._reports.get(fip_id, {}).get(host)
        if host not in self.agents:
            since = self._gone.setdefault(host, self._started)
            if self._clock() - since < self._grace:
                return None, ""
            return neutron.DOWN, f"the fipd of {host} is not seen"
        return self._of(report, self.agents[host])

    @staticmethod
    def _of(report, agent):
        if report is None:
            return neutron.DOWN, ""
        if report.state in SERVES:
            return neutron.ACTIVE, ""
        if report.state in SERVES_WITHOUT_BIRD and agent.get("bird") is False:
            return neutron.ACTIVE, ""
        if report.state in FAILED:
            return neutron.ERROR, f"{report.state}: {report.reason}"
        return neutron.DOWN, report.reason

    def announces(self, fip_id, host):
        report = self._reports.get(fip_id, {}).get(host)
        return (report is not None and host in self.agents
                and self._of(report, self.agents[host])[0] == neutron.ACTIVE)


def _without_bird(agents):
    """host -> what of its agent decides over a status."""
    return {host: agent.get("bird") is False for host, agent in agents.items()}
