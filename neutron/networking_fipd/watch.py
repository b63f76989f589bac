"""A watch on a prefix that says when it cannot be trusted any more.

events() yields batches until the deadline of silence, then ends; the caller begins again at
`revision`. So a connection that died without a word costs `silence` seconds and nothing is missed.
"""
import json

import requests

from networking_fipd import etcd as etcd_module
from networking_fipd import keys

LONGEST_LINE = 64 * 1024 * 1024


class Lost(Exception):
    """Events between the snapshot and now are gone: read everything again."""


class Watch:
    def __init__(self, etcd, prefix, revision, cluster=None, silence=10.0):
        self._etcd = etcd
        self._prefix = prefix
        self.revision = revision      # the last one known
        self._cluster = cluster
        self._silence = silence

    def events(self):
        """Batches of (KeyValue, deleted). Raises Unavailable, Refused, Lost."""
        body = {"create_request": {
            "key": etcd_module.b64(self._prefix),
            "range_end": etcd_module.b64(keys.after(self._prefix)),
            "start_revision": str(self.revision + 1)}}
        response = self._etcd.open_stream("/watch", body, self._silence)
        try:
            for line in _lines(response):
                batch = self._understood(line)
                if batch:
                    yield batch
        finally:
            response.close()

    def _understood(self, line):
        try:
            message = json.loads(line)
            result = message["result"]
            header = result["header"]
            revision = int(header.get("revision", 0))  # none where it is canceled
        except (ValueError, KeyError, TypeError) as error:
            raise etcd_module.Unavailable(f"watch: {line[:200]!r}") from error
        self._check(result, header, revision)
        batch = [(etcd_module.key_value(event["kv"]), event.get("type") == "DELETE")
                 for event in result.get("events", [])]
        if batch:
            self.revision = max(self.revision, revision)
        return batch

    def _check(self, result, header, revision):
        if self._cluster and header.get("cluster_id") != self._cluster:
            raise Lost("another etcd cluster answers")
        if result.get("created") and revision < self.revision:
            # etcd would be silent until that revision comes.
            raise Lost(f"etcd went back from revision {self.revision} to {revision}")
        if result.get("compact_revision"):
            raise Lost("the revisions after the snapshot are compacted")
        if result.get("canceled"):
            raise etcd_module.Unavailable(f"watch: {result.get('cancel_reason', 'canceled')}")


def _lines(response):
    """Lines of the stream, until it is silent for too long or ends."""
    rest = b""
    try:
        for part in response.iter_content(None):
            *lines, rest = (rest + part).split(b"\n")
            yield from (line for line in lines if line)
            if len(rest) > LONGEST_LINE:
                raise etcd_module.Unavailable("watch: a line without an end")
    except requests.exceptions.RequestException as error:
        if "timed out" not in str(error).lower():
            raise etcd_module.Unavailable(f"watch: {error}") from error
