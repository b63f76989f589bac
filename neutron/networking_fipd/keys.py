"""Names of keys, and the form of values (docs/etcd.md)."""
import json
from urllib import parse

# Serving roles have a route; see docs/etcd.md for what each asks of fipd.
SERVING = ("", "source")
TARGET = "target"
LEAVING = "leaving"


def escaped(name):
    return parse.quote(name, safe="")


def after(prefix):
    """The end of the range of all keys that begin with prefix."""
    return prefix[:-1] + chr(ord(prefix[-1]) + 1)


def encoded(value):
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def decoded(text):
    """The object in text, or None: somebody may have written by hand."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def can_be_written(name):
    """JSON has half characters ("\\ud800"), UTF-8 has none. Nothing is no name."""
    try:
        return bool(name.encode())
    except UnicodeEncodeError:
        return False


def hosts_of(index):
    """{host: role} of an index value, whatever somebody may have written there."""
    hosts = index.get("hosts") if index else None
    return hosts if isinstance(hosts, dict) else {}


class Keys:
    def __init__(self, prefix):
        self.prefix = prefix if prefix.endswith("/") else prefix + "/"
        self.hosts = self.prefix + "host/"
        self.index = self.prefix + "index/fip/"
        self.statuses = self.prefix + "status/"
        self.ready = self.prefix + "ready"
        self.leader = self.prefix + "leader"

    def bindings_of(self, host):
        """What all keys of the host's floating IPs begin with."""
        return f"{self.hosts}{escaped(host)}/fip/"

    def binding(self, host, fip_id):
        return self.bindings_of(host) + escaped(fip_id)

    def index_of(self, fip_id):
        return self.index + escaped(fip_id)

    def id_of_index(self, key):
        return parse.unquote(key[len(self.index):])

    def binding_of(self, key):
        """(host, id) of a key below host/, or None where it is nobody's."""
        parts = key[len(self.hosts):].split("/")
        if len(parts) != 3 or parts[1] != "fip" or not parts[0] or not parts[2]:
            return None
        return parse.unquote(parts[0]), parse.unquote(parts[2])

    def status_of(self, key):
        """(host, None) of an agent's key, (host, id) of a floating IP's, or None."""
        parts = key[len(self.statuses):].split("/")
        if len(parts) == 2 and parts[1] == "agent":
            return parse.unquote(parts[0]), None
        if len(parts) == 3 and parts[1] == "fip" and parts[2]:
            return parse.unquote(parts[0]), parse.unquote(parts[2])
        return None
