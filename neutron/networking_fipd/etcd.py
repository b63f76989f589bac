"""etcd over its JSON gateway: etcd3gw, with deadlines, several endpoints and users around it.

Every call ends within `timeout` seconds, whatever etcd does, or raises Unavailable; nothing is cut
short in the middle of a transaction. A client belongs to one thread (its HTTP sessions do).
Transactions are repeated at another endpoint after a lost answer: callers compare revisions, so
that a repeated one fails instead of doing twice.
"""
import base64
import collections
import random
import time
from urllib import parse

from etcd3gw import exceptions
from etcd3gw.client import Etcd3Client
import requests

from networking_fipd import keys

KeyValue = collections.namedtuple("KeyValue", "key value revision lease")
Range = collections.namedtuple("Range", "items more revision cluster")
Answer = collections.namedtuple("Answer", "succeeded responses revision")


class Unavailable(Exception):
    """etcd did not answer in time, or cannot serve: try again later."""


class Refused(Exception):
    """etcd answered, and will answer the same again: rights, size, a wrong request."""


class _Session(requests.Session):
    """requests knows a timeout for each read only, and etcd3gw passes none at all."""

    def __init__(self):
        super().__init__()
        self.trust_env = False  # no proxy for etcd
        self.until = 0.0
        self.token = None

    def request(self, method, url, **options):
        if self.token:
            options["headers"] = {"Authorization": self.token}
        options["timeout"] = max(0.05, self.until - time.monotonic())
        streamed = options.pop("stream", False)
        response = super().request(method, url, stream=True, **options)
        return response if streamed else self._whole(response)

    def _whole(self, response):
        parts = []
        for part in response.iter_content(65536):
            parts.append(part)
            if time.monotonic() > self.until:
                response.close()
                raise requests.exceptions.ReadTimeout("the answer took too long")
        response._content = b"".join(parts)
        response._content_consumed = True
        return response


def _gateway(url, tls):
    parts = parse.urlsplit(url if "//" in url else "http://" + url)
    made = Etcd3Client(
        host=parts.hostname or "localhost", port=parts.port or 2379,
        protocol=parts.scheme or "http", api_path="/v3/")
    made.session = _Session()
    if tls.get("ca"):
        made.session.verify = tls["ca"]
    if tls.get("cert"):
        made.session.cert = (tls["cert"], tls["key"]) if tls.get("key") else tls["cert"]
    return made


def b64(text):
    return base64.b64encode(text.encode()).decode()


def unb64(text):
    return base64.b64decode(text).decode(errors="replace")


class Etcd:
    def __init__(self, endpoints, timeout=3.0, tls=None, user=None, password=None):
        self.timeout = timeout
        self._gateways = [_gateway(url, tls or {}) for url in endpoints]
        random.shuffle(self._gateways)
        self._user, self._password = user, password

    @classmethod
    def from_options(cls, options):
        return cls(options.etcd_endpoints, options.etcd_timeout,
                   {"ca": options.etcd_ca_file, "cert": options.etcd_cert_file,
                    "key": options.etcd_key_file}, options.etcd_user, options.etcd_password)

    def txn(self, compare, success, failure=()):
        body = {"compare": list(compare), "success": list(success), "failure": list(failure)}
        return self._ask("/kv/txn", body, lambda got: Answer(
            got.get("succeeded", False), got.get("responses", []),
            int(got["header"]["revision"])))

    def range(self, key, end=None, limit=0, revision=0, keys_only=False):
        body = range_request(key, end, limit)
        if revision:
            body["revision"] = str(revision)
        if keys_only:
            body["keys_only"] = True
        return self._ask("/kv/range", body, lambda got: Range(
            [key_value(item) for item in got.get("kvs", [])], got.get("more", False),
            int(got["header"]["revision"]), got["header"].get("cluster_id")))

    def pages(self, prefix, limit=1000, keys_only=False):
        """All keys below prefix at one revision, page by page."""
        start, revision = prefix, 0
        while True:
            page = self.range(start, keys.after(prefix), limit, revision, keys_only)
            revision = revision or page.revision
            yield page._replace(revision=revision)
            if not page.more or not page.items:
                return
            start = page.items[-1].key + "\0"

    def grant(self, ttl):
        return self._ask("/lease/grant", {"TTL": ttl, "ID": 0}, lambda got: int(got["ID"]))

    def keep_alive(self, lease):
        """Seconds the lease has again; 0: it is gone."""
        return self._ask("/lease/keepalive", {"ID": str(lease)},
                         lambda got: int(got["result"].get("TTL", 0)))

    def revoke(self, lease):
        self._ask("/kv/lease/revoke", {"ID": str(lease)}, lambda got: None)

    def open_stream(self, path, body, silence):
        """A response whose lines may be read; a silence of so many seconds ends it."""
        def call(gateway):
            response = gateway.session.post(gateway.get_url(path), json=body, stream=True)
            if response.status_code != 200:
                text = response.text[:500]
                raise exceptions.Etcd3Exception(text, response.reason)
            return response
        return self._somewhere(call, silence)

    def _ask(self, path, body, read):
        """read(answer): what cannot be read counts as no answer."""
        return self._somewhere(
            lambda gateway: read(gateway.post(gateway.get_url(path), json=body)))

    def _somewhere(self, call, seconds=None):
        """call(gateway) at the endpoint that worked last, else at the others, in one deadline."""
        until = time.monotonic() + (seconds or self.timeout)
        trouble = "no endpoint is configured"
        for left in range(len(self._gateways), 0, -1):
            gateway = self._gateways[0]
            now = time.monotonic()
            if now >= until:
                break
            gateway.session.until = until if seconds else now + (until - now) / left
            try:
                return self._with_token(gateway, call)
            except exceptions.Etcd3Exception as error:
                trouble = f"{gateway.get_url('')}: {error.detail_text or error!r}"
                if not _worth_another(error):
                    raise Refused(trouble) from error
            except requests.exceptions.RequestException as error:
                trouble = f"{gateway.get_url('')}: {error}"
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                trouble = f"{gateway.get_url('')}: not etcd's answer: {error!r}"
            self._gateways.append(self._gateways.pop(0))
        raise Unavailable(trouble)

    def _with_token(self, gateway, call):
        if self._user and not gateway.session.token:
            self._authenticate(gateway)
        try:
            return call(gateway)
        except exceptions.Etcd3Exception as error:
            if not self._user or not _token_has_died(error):
                raise
            self._authenticate(gateway)
            return call(gateway)

    def _authenticate(self, gateway):
        gateway.session.token = None
        got = gateway.post(gateway.get_url("/auth/authenticate"),
                           json={"name": self._user, "password": self._password or ""})
        gateway.session.token = got["token"]


def _token_has_died(error):
    """With etcd's restart and with time; one of the kind JWT by any change of users or roles, too."""
    text = str(error.detail_text)
    return "Unauthorized" in error.args or "auth token" in text or "auth store is old" in text


def _worth_another(error):
    if isinstance(error, (exceptions.InternalServerError, exceptions.ConnectionFailedError,
                          exceptions.ConnectionTimeoutError)) or _token_has_died(error):
        return True
    text = str(error.detail_text)
    return any(word in text for word in ("no leader", "leader changed", "timed out",
                                         "not capable", "too many requests"))


def key_value(item):
    return KeyValue(unb64(item["key"]), unb64(item.get("value", "")),
                    int(item.get("mod_revision", 0)), int(item.get("lease", 0)))


def range_request(key, end=None, limit=0):
    body = {"key": b64(key)}
    if end:
        body["range_end"] = b64(end)
    if limit:
        body["limit"] = limit
    return body


def get_op(key):
    return {"request_range": range_request(key)}


def put_op(key, value, lease=0):
    put = {"key": b64(key), "value": b64(value)}
    if lease:
        put["lease"] = str(lease)
    return {"request_put": put}


def delete_op(key):
    return {"request_delete_range": {"key": b64(key)}}


def at_revision(key, revision):
    """The condition that the key was last written at this revision; 0: that it does not exist."""
    return {"key": b64(key), "result": "EQUAL", "target": "MOD", "mod_revision": str(revision)}


def got(response):
    """The key of a get_op's answer, or None."""
    items = response.get("response_range", {}).get("kvs", [])
    return key_value(items[0]) if items else None
