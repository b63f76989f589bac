"""etcd in memory, with the calls of networking_fipd.etcd.Etcd; its log is the order of effects."""
import base64

from networking_fipd import etcd as etcd_module


def text(coded):
    return base64.b64decode(coded).decode()


class FakeEtcd:
    timeout = 1.0

    def __init__(self):
        self.items = {}        # key -> (value, mod_revision, lease)
        self.revision = 1
        self.transactions = []  # {key: value or None} of each that wrote
        self.leases = []
        self.before_txn = []   # called once each, before a transaction that writes

    def put(self, key, value, lease=0):
        self.revision += 1
        self.items[key] = (value, self.revision, lease)

    def txn(self, compare, success, failure=()):
        writes = [each for each in success if "request_range" not in each]
        if writes and self.before_txn:
            self.before_txn.pop(0)()
        succeeded = all(self._holds(condition) for condition in compare)
        operations = success if succeeded else failure
        if succeeded and writes:
            self.revision += 1
            self.transactions.append({})
        return etcd_module.Answer(succeeded, [self._do(each) for each in operations],
                                  self.revision)

    def _holds(self, condition):
        _, revision, lease = self.items.get(text(condition["key"]), ("", 0, 0))
        if condition["target"] == "LEASE":
            return lease == int(condition["lease"])
        return revision == int(condition["mod_revision"])

    def _do(self, operation):
        (kind, body), = operation.items()
        key = text(body["key"])
        if kind == "request_range":
            found = self.items.get(key)
            return {"response_range": {"kvs": [self._item(key)]} if found else {}}
        value = text(body["value"]) if kind == "request_put" else None
        assert key not in self.transactions[-1], "etcd refuses a key twice in a transaction"
        self.transactions[-1][key] = value
        if value is None:
            self.items.pop(key, None)
        else:
            self.items[key] = (value, self.revision, int(body.get("lease", 0)))
        return {}

    def _item(self, key):
        value, revision, lease = self.items[key]
        return {"key": etcd_module.b64(key), "value": etcd_module.b64(value),
                "mod_revision": str(revision), "lease": str(lease)}

    def pages(self, prefix, limit=2, keys_only=False):
        found = sorted(key for key in self.items if key.startswith(prefix))
        for start in range(0, max(1, len(found)), limit):
            yield etcd_module.Range(
                [etcd_module.key_value(self._item(key)) for key in found[start:start + limit]],
                start + limit < len(found), self.revision, "1")

    def grant(self, ttl):
        self.leases.append(ttl)
        return 7000 + len(self.leases)

    def expire(self, lease):
        for key in [key for key, item in self.items.items() if item[2] == lease]:
            del self.items[key]


class FakeDatabase:
    """What networking_fipd.database answers, from a dict."""

    def __init__(self):
        self.fips = {}
        self.loads = 0

    def load(self, ids):
        self.loads += 1
        return {fip_id: self.fips[fip_id] for fip_id in ids if fip_id in self.fips}

    def wanted_ids(self, after="", limit=2):
        return sorted(fip_id for fip_id, fip in self.fips.items()
                      if fip.wanted and fip_id > after)[:limit]
