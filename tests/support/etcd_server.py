"""A real etcd of one or several members for the tests, on loopback here or in a namespace.

Reads and writes through the JSON gateway with nothing but the standard library, so that no code
under test is trusted. Sleeping members (SIGSTOP), killed ones and empty data folders are one call.
"""
import base64
import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import ssl

from namespaces import run
from waiting import wait_for


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def b64(text):
    return base64.b64encode(text.encode()).decode()


def unb64(text):
    return base64.b64decode(text).decode()


class NoAnswer(AssertionError):
    """etcd did not answer within the deadline of the test's own call."""


class Certificates:
    """An authority, a server's certificate for 127.0.0.1 and localhost, and a client's."""

    def __init__(self, lab, client="fipd", name="tls"):
        self.folder = lab.file(name)
        os.makedirs(self.folder)
        self.ca = self._file("ca.pem")
        run("openssl", "req", "-x509", *self._new("ca"), "-out", self.ca, "-days", "2",
            "-subj", f"/CN={name} authority")
        self.cert, self.key = self._signed("server", "/CN=localhost",
                                           "subjectAltName=IP:127.0.0.1,DNS:localhost")
        # Without a common name: etcd takes that for a user's name.
        self.client_cert, self.client_key = self._signed("client", f"/O={client}",
                                                         "extendedKeyUsage=clientAuth")

    def _file(self, name):
        return os.path.join(self.folder, name)

    def _new(self, name):
        return ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
                self._file(f"{name}.key")]

    def _signed(self, name, subject, extension):
        with open(self._file(f"{name}.ext"), "w") as out:
            out.write(extension + "\n")
        run("openssl", "req", *self._new(name), "-out", self._file(f"{name}.csr"), "-subj", subject)
        run("openssl", "x509", "-req", "-in", self._file(f"{name}.csr"), "-CA", self.ca, "-CAkey",
            self._file("ca.key"), "-CAcreateserial", "-days", "2", "-extfile",
            self._file(f"{name}.ext"), "-out", self._file(f"{name}.pem"))
        return self._file(f"{name}.pem"), self._file(f"{name}.key")

    def context(self):
        made = ssl.create_default_context(cafile=self.ca)
        made.load_cert_chain(self.client_cert, self.client_key)
        return made

    def options(self):
        return ["--cert-file", self.cert, "--key-file", self.key, "--client-cert-auth",
                "--trusted-ca-file", self.ca]


def jwt(folder):
    """Options for tokens of the kind JWT, which hold the revision of the users and roles they were
    given under."""
    private, public = (os.path.join(folder, f"{name}.pem") for name in ("private", "public"))
    run("openssl", "genrsa", "-out", private, "2048")
    run("openssl", "rsa", "-in", private, "-pubout", "-out", public)
    return ["--auth-token", f"jwt,pub-key={public},priv-key={private},sign-method=RS256,ttl=10m"]


class Member:
    def __init__(self, name, host, namespace, options, tls=None):
        self.name = name
        self.tls = tls
        self.host = host
        self.namespace = namespace
        self.options = options
        self.client_port = free_port()
        self.peer_port = free_port()
        self.process = None

    @property
    def endpoint(self):
        return f"{'https' if self.tls else 'http'}://{self.host}:{self.client_port}"

    def connection(self, timeout):
        """An open one."""
        if self.tls:
            made = http.client.HTTPSConnection(self.host, self.client_port, timeout=timeout,
                                               context=self.tls.context())
        else:
            made = http.client.HTTPConnection(self.host, self.client_port, timeout=timeout)
        with self.namespace.entered() if self.namespace else contextlib.nullcontext():
            made.connect()
        return made

    @property
    def peer(self):
        return f"{self.name}=http://{self.host}:{self.peer_port}"

    def ask(self, path, body, timeout=5, token=None):
        """The answer's object; NoAnswer where there is none in time."""
        try:
            with contextlib.closing(self.connection(timeout)) as connection:
                connection.request("POST", "/v3" + path, json.dumps(body),
                                   {"Authorization": token} if token else {})
                response = connection.getresponse()
                return json.loads(response.read())
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise NoAnswer(f"{self.name}: {error!r}") from error


class Etcd:
    """members: how many; options: further words for each command line; tls: Certificates."""

    def __init__(self, lab, members=1, namespace=None, host="127.0.0.1", options=(), tls=None):
        self.lab = lab
        serial = 0
        while os.path.exists(lab.file(f"etcd{serial}")):
            serial += members
        options = [*options, *(tls.options() if tls else [])]
        self.namespace, self.host = namespace, host
        self.members = [Member(name, *self.place(name), options, tls)
                        for name in (f"etcd{serial + n}" for n in range(members))]
        self.asked = self.members[0]  # by the calls below
        self.start()

    def place(self, name):
        """Address and namespace of a member."""
        return self.host, self.namespace

    @property
    def endpoints(self):
        return [member.endpoint for member in self.members]

    def start(self):
        """Starts every member that is not running, and waits until they serve."""
        for member in self.members:
            if member.process is None or not member.process.alive():
                self._start(member)
        for member in self.members:
            wait_for(lambda: self._serves(member), 20,
                     lambda: f"{member.name} serves\n{member.process.text()[-3000:]}", 0.05)

    def _start(self, member):
        data = self.lab.file(member.name)
        os.makedirs(data, mode=0o700, exist_ok=True)
        listen = member.endpoint
        peer = member.peer.split("=")[1]
        member.process = self.lab.start(member.name, [
            "etcd", "--name", member.name, "--data-dir", data, "--logger", "zap",
            "--listen-client-urls", listen, "--advertise-client-urls", listen,
            "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
            "--initial-cluster", ",".join(each.peer for each in self.members),
            "--heartbeat-interval", "200", "--election-timeout", "2000", "--log-level", "warn",
            *member.options], member.namespace)

    @staticmethod
    def _serves(member):
        assert member.process.alive(), f"{member.name} ended\n{member.process.text()[-3000:]}"
        try:
            return "header" in member.ask("/kv/range", {"key": b64("x")}, timeout=1)
        except NoAnswer:
            return False

    def kill(self):
        for member in self.members:
            member.process.kill()

    def stop(self):
        """SIGTERM, as a package's upgrade does."""
        for member in self.members:
            member.process.stop(20)

    def sleep(self):
        """Connections are accepted and nothing is answered."""
        for member in self.members:
            member.process.send(signal.SIGSTOP)

    def wake(self):
        for member in self.members:
            member.process.send(signal.SIGCONT)

    def wipe(self):
        """Killed, and started with nothing in it."""
        self.kill()
        for member in self.members:
            shutil.rmtree(self.lab.file(member.name))
        self.start()

    def snapshot(self, path):
        """Saves one for restore()."""
        member, = self.members
        words = ["etcdctl", "--endpoints", member.endpoint, "snapshot", "save", path]
        run(*(member.namespace.prefix(*words) if member.namespace else words),
            env={**os.environ, "ETCDCTL_API": "3"})

    def restore(self, snapshot):
        """As after a disaster: a single member begins again with an older snapshot."""
        self.kill()
        member, = self.members
        shutil.rmtree(self.lab.file(member.name))
        run("etcdctl", "snapshot", "restore", snapshot, "--name", member.name, "--data-dir",
            self.lab.file(member.name), "--initial-cluster", member.peer,
            "--initial-advertise-peer-urls", member.peer.split("=")[1],
            env={**os.environ, "ETCDCTL_API": "3"})
        self.start()

    def enable_auth(self, user, password, prefix):
        """A root, and a user with every right below prefix. No call of this class works after."""
        role = {"name": user}
        for path, body in (
                ("/auth/user/add", {"name": "root", "password": "root"}),
                ("/auth/user/grant", {"user": "root", "role": "root"}),
                ("/auth/role/add", role), ("/auth/role/grant", {**role, "perm": {
                    "permType": "READWRITE", "key": b64(prefix),
                    "range_end": b64(_after(prefix))}}),
                ("/auth/user/add", {"name": user, "password": password}),
                ("/auth/user/grant", {"user": user, "role": user}), ("/auth/enable", {})):
            got = self.ask(path, body)
            assert "header" in got, (path, got)

    def ask(self, path, body, timeout=5):
        return self.asked.ask(path, body, timeout)

    def records(self, prefix):
        """{key: item} with value decoded, mod_revision and lease as numbers."""
        got = self.ask("/kv/range", {"key": b64(prefix), "range_end": b64(_after(prefix))})
        assert "header" in got, got
        return {unb64(item["key"]): {"value": unb64(item.get("value", "")),
                                     "mod_revision": int(item["mod_revision"]),
                                     "lease": int(item.get("lease", 0))}
                for item in got.get("kvs", [])}

    def values(self, prefix):
        """{key: text}"""
        return {key: item["value"] for key, item in self.records(prefix).items()}

    def objects(self, prefix):
        """{key: object of the JSON text}"""
        return {key: json.loads(text) for key, text in self.values(prefix).items()}

    def get(self, key):
        return self.values(key).get(key)

    def revision(self):
        return int(self.ask("/kv/range", {"key": b64("x")})["header"]["revision"])

    def put(self, key, value, lease=0):
        """Returns the revision. A value that is no text is written as JSON."""
        text = value if isinstance(value, str) else json.dumps(value)
        body = {"key": b64(key), "value": b64(text), **({"lease": str(lease)} if lease else {})}
        got = self.ask("/kv/put", body)
        assert "header" in got, got
        return int(got["header"]["revision"])

    def delete(self, key, prefix=False):
        body = {"key": b64(key), **({"range_end": b64(_after(key))} if prefix else {})}
        return int(self.ask("/kv/deleterange", body).get("deleted", 0))

    def grant(self, ttl):
        return int(self.ask("/lease/grant", {"TTL": ttl, "ID": 0})["ID"])

    def revoke(self, lease):
        self.ask("/kv/lease/revoke", {"ID": str(lease)})

    def compact(self, revision=None):
        self.ask("/kv/compaction", {"revision": str(revision or self.revision()),
                                    "physical": True})

    def history(self, prefix, since, settled=1.0):
        """Events below prefix from revision `since` on: (revision, key, text or None)."""
        connection = self.members[0].connection(settled)
        found = []
        try:
            connection.request("POST", "/v3/watch", json.dumps({"create_request": {
                "key": b64(prefix), "range_end": b64(_after(prefix)),
                "start_revision": str(since)}}))
            response = connection.getresponse()
            while True:
                result = json.loads(response.readline())["result"]
                for event in result.get("events", []):
                    item = event["kv"]
                    found.append((int(item["mod_revision"]), unb64(item["key"]),
                                  None if event.get("type") == "DELETE"
                                  else unb64(item.get("value", ""))))
        except (TimeoutError, socket.timeout):
            return found
        finally:
            connection.close()


def _after(prefix):
    return prefix[:-1] + chr(ord(prefix[-1]) + 1)
