"""The source "etcd" under TLS with client certificates, and with etcd's users and passwords."""
import json
import os
import time

import pytest

from etcd_cloud import HOST, READY, FipdCloud, binding
from etcd_server import Etcd, b64, free_port, jwt
from namespaces import run
from waiting import wait_for


class Authority:
    """A certificate authority of the test's own, and what it signed."""

    def __init__(self, folder):
        self.folder = folder
        os.makedirs(folder)
        self.ca = self._file("ca.pem")
        self._openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                      "-days", "2", "-subj", "/CN=ca of the test", "-keyout", self._file("ca.key"),
                      "-out", self.ca)
        self.server = self.sign("server", "subjectAltName=IP:127.0.0.1")
        # Without a name: with users and passwords etcd refuses a certificate that has a CN.
        self.client = self.sign("client", "extendedKeyUsage=clientAuth")

    def _file(self, name):
        return os.path.join(self.folder, name)

    @staticmethod
    def _openssl(*words):
        run("openssl", *words)

    def sign(self, name, extension):
        """(certificate, key)"""
        key, request, out = (self._file(f"{name}.{kind}") for kind in ("key", "csr", "pem"))
        with open(self._file(f"{name}.ext"), "w") as text:
            text.write(extension + "\n")
        self._openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                      "-subj", "/O=fipd", "-keyout", key, "-out", request)
        self._openssl("x509", "-req", "-in", request, "-CA", self.ca, "-CAkey",
                      self._file("ca.key"), "-CAcreateserial", "-days", "2", "-extfile",
                      self._file(f"{name}.ext"), "-out", out)
        return out, key


class SecureCloud(FipdCloud):
    """etcd also listens under TLS, and wants a client's certificate there."""

    def __init__(self):
        super().__init__()
        self.etcd.kill()
        self.authority = Authority(self.lab.file("authority"))
        port = free_port()
        member, = self.etcd.members
        certificate, key = self.authority.server
        member.options = ["--listen-client-urls", f"{member.endpoint},https://127.0.0.1:{port}",
                          "--cert-file", certificate, "--key-file", key, "--client-cert-auth",
                          "--trusted-ca-file", self.authority.ca]
        self.etcd.start()
        certificate, key = self.authority.client
        self.settings = self.fipd.settings["etcd"]
        self.settings.update(endpoints=[f"https://127.0.0.1:{port}"], ca=self.authority.ca,
                             certificate=certificate, key=key)


@pytest.fixture
def secure():
    made = SecureCloud()
    yield made
    made.close()


def test_keys_are_read_and_watched_under_tls(secure):
    secure.put(3)
    secure.fipd.write_config()
    secure.start()
    secure.wait_numbers(3)
    secure.put(4)
    secure.wait_numbers(3, 4)


@pytest.mark.parametrize("what", ["ca", "host", "client"])
def test_a_certificate_that_does_not_fit_is_named_and_nothing_is_read(secure, what):
    if what == "ca":
        secure.settings["ca"] = Authority(secure.lab.file("stranger")).ca
    elif what == "host":
        # Its certificate is for 127.0.0.1 only; the name leads there all the same.
        secure.settings["endpoints"] = [each.replace("127.0.0.1", "localhost")
                                        for each in secure.settings["endpoints"]]
    else:
        del secure.settings["certificate"], secure.settings["key"]
    secure.put(3)
    secure.fipd.write_config()
    secure.start()
    # OpenSSL 3.0 has no words for TLS 1.3's alert 116, certificate_required.
    wanted = "alert" if what == "client" else "certificate verify failed"
    secure.wait_source("it is named", lambda each: any(wanted in problem
                                                       for problem in each["problems"]))
    assert secure.numbers() == set()


def test_a_certificate_file_that_is_not_there_stops_the_start_with_its_name(secure):
    secure.settings["ca"] = "/nowhere/ca.pem"
    secure.fipd.write_config()
    secure.fipd.start(ready=False)
    wait_for(lambda: not secure.fipd.process.alive(), 15, "fipd ends")
    assert secure.fipd.process.popen.returncode != 0
    assert "/nowhere/ca.pem" in secure.fipd.log()


class GuardedCloud(FipdCloud):
    """etcd with users: root, and fipd with the rights that docs/etcd.md names."""

    def __init__(self, options=()):
        super().__init__(lambda made: Etcd(made.lab, namespace=made.host, options=options))
        self.etcd.put(READY, {"by": "the test"})
        for path, body in (
                ("/auth/user/add", {"name": "root", "password": "rootpw"}),
                ("/auth/role/add", {"name": "root"}),
                ("/auth/user/grant", {"user": "root", "role": "root"}),
                ("/auth/user/add", {"name": "fipd", "password": "secret"}),
                ("/auth/role/add", {"name": "host"}),
                ("/auth/role/grant", {"name": "host", "perm": {
                    "permType": "READ", "key": b64("/fipd/v1/host/compute1/"),
                    "range_end": b64("/fipd/v1/host/compute10")}}),
                ("/auth/role/grant", {"name": "host", "perm": {"permType": "READ",
                                                               "key": b64(READY)}}),
                ("/auth/role/grant", {"name": "host", "perm": {
                    "permType": "READWRITE", "key": b64("/fipd/v1/status/compute1/"),
                    "range_end": b64("/fipd/v1/status/compute10")}}),
                ("/auth/user/grant", {"user": "fipd", "role": "host"}),
                ("/auth/enable", {})):
            answer = self.etcd.ask(path, body)
            assert "header" in answer, answer
        self.fipd.settings["etcd"].update(user="fipd", password="secret")

    def ctl(self, *words):
        return self.host.run("etcdctl", "--endpoints", self.etcd.endpoints[0], "--user",
                             "root:rootpw", *words, check=False, env={**os.environ, "ETCDCTL_API": "3"})

    def put(self, number, **more):
        wait_for(lambda: self.ctl("put", f"{HOST}id{number}",
                                  json.dumps(binding(number, **more))).returncode == 0, 20,
                 "etcd takes a key", 0.2)


@pytest.fixture
def guarded():
    made = GuardedCloud()
    yield made
    made.close()


def test_a_user_with_a_password_reads_and_logs_in_again_when_its_token_died(guarded):
    guarded.put(3)
    guarded.fipd.write_config()
    guarded.fipd.start()
    guarded.wait_numbers(3)
    # etcd's simple tokens die with it.
    member, = guarded.etcd.members
    member.process.kill()
    guarded.etcd._start(member)
    guarded.put(4)
    guarded.wait_numbers(3, 4, timeout=30)
    guarded.wait_well()


def test_a_token_that_a_change_of_users_ended_is_replaced(tmp_path):
    cloud = GuardedCloud(jwt(tmp_path))
    try:
        cloud.put(3)
        cloud.fipd.write_config()
        cloud.fipd.start()
        cloud.wait_numbers(3)
        cloud.wait_well()
        assert cloud.ctl("role", "add", "another").returncode == 0
        cloud.put(4)
        cloud.wait_numbers(3, 4, timeout=30)
        cloud.wait_well()
        # Begun under the new token, by another start of the watch.
        cloud.put(5)
        cloud.wait_numbers(3, 4, 5)
        time.sleep(1)
        assert not cloud.source()["problems"]
    finally:
        cloud.close()


def test_a_wrong_password_is_told_and_removes_nothing(guarded):
    guarded.put(3)
    guarded.fipd.write_config()
    guarded.fipd.start()
    guarded.wait_numbers(3)
    guarded.fipd.stop()
    guarded.fipd.settings["etcd"]["password"] = "wrong"
    guarded.fipd.write_config()
    guarded.fipd.start()
    guarded.wait_source("it is told", lambda each: any("log in as 'fipd'" in problem
                                                       for problem in each["problems"]))
    assert guarded.numbers() == {3}
