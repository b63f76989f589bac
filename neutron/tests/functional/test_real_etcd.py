"""The client and the watch of networking_fipd against the real etcd; no Neutron."""
import time

from etcd_server import Certificates, Etcd, jwt
from namespaces import Lab
from networking_fipd import etcd as client
from networking_fipd.watch import Lost, Watch
import pytest
from waiting import wait_for

pytestmark = pytest.mark.slow


@pytest.fixture
def lab():
    with Lab() as made:
        yield made


def test_pages_are_of_one_revision_and_complete(lab):
    server = Etcd(lab)
    etcd = client.Etcd(server.endpoints)
    for n in range(25):
        server.put(f"/p/{n:02}", str(n))
    pages = etcd.pages("/p/", 10)
    first = next(pages)
    server.put("/p/99", "later")
    keys = [item.key for page in (first, *pages) for item in page.items]
    assert keys == [f"/p/{n:02}" for n in range(25)]


def test_a_transaction_holds_its_condition(lab):
    server = Etcd(lab)
    etcd = client.Etcd(server.endpoints)
    assert etcd.txn([client.at_revision("/k", 0)], [client.put_op("/k", "v")]).succeeded
    assert not etcd.txn([client.at_revision("/k", 0)], [client.put_op("/k", "w")]).succeeded
    revision = etcd.range("/k").items[0].revision
    assert etcd.txn([client.at_revision("/k", revision)], [client.delete_op("/k")]).succeeded
    assert server.get("/k") is None


def test_a_lease_that_ended_is_told_as_zero(lab):
    server = Etcd(lab)
    etcd = client.Etcd(server.endpoints)
    lease = etcd.grant(60)
    assert etcd.keep_alive(lease) == 60
    etcd.revoke(lease)
    assert etcd.keep_alive(lease) == 0
    with pytest.raises(client.Refused, match="lease not found"):
        etcd.txn([], [client.put_op("/k", "v", lease)])


def test_a_watch_sees_puts_and_deletes_and_goes_on_where_it_was(lab):
    server = Etcd(lab)
    watch = Watch(client.Etcd(server.endpoints), "/w/", server.revision(), silence=1)
    server.put("/w/a", "1")
    server.put("/x/b", "2")
    server.delete("/w/a")
    seen = [(item.key, deleted) for batch in watch.events() for item, deleted in batch]
    assert seen == [("/w/a", False), ("/w/a", True)]
    server.put("/w/c", "3")
    assert [item.key for batch in watch.events() for item, _ in batch] == ["/w/c"]


def test_a_watch_tells_compaction_and_another_etcd(lab):
    server = Etcd(lab)
    revision = server.put("/w/a", "1")
    for n in range(5):
        server.put("/w/a", str(n))
    server.compact()
    with pytest.raises(Lost, match="compacted"):
        list(Watch(client.Etcd(server.endpoints), "/w/", revision, silence=2).events())
    late = Watch(client.Etcd(server.endpoints), "/w/", server.revision(), silence=2)
    server.wipe()
    with pytest.raises(Lost, match="went back"):
        list(late.events())


def test_of_three_members_any_may_hang_or_die(lab):
    server = Etcd(lab, members=3)
    etcd = client.Etcd(server.endpoints, timeout=6)
    for number, member in enumerate(server.members):
        member.process.kill() if number % 2 else member.process.send(19)
        # A follower asks a new leader again after the election.
        wait_for(lambda: _put(etcd, f"/k/{number}"), 30, "a write", 0.2)
        member.process.send(18)
        server.start()
    assert len(server.values("/k/")) == 3


def _put(etcd, key):
    try:
        return etcd.txn([], [client.put_op(key, "v")]).succeeded
    except client.Unavailable:
        return False


def test_a_user_and_a_token_that_dies_with_etcd(lab):
    server = Etcd(lab)
    server.enable_auth("neutron", "secret", "/fipd/v1/")
    etcd = client.Etcd(server.endpoints, user="neutron", password="secret")
    assert etcd.txn([], [client.put_op("/fipd/v1/k", "v")]).succeeded
    server.members[0].process.kill()
    server._start(server.members[0])
    wait_for(lambda: _put(etcd, "/fipd/v1/k"), 20, "a write with a new token", 0.2)
    with pytest.raises(client.Refused, match="permission denied"):
        etcd.txn([], [client.put_op("/other", "v")])
    with pytest.raises(client.Refused):
        client.Etcd(server.endpoints, user="neutron", password="wrong").range("/fipd/v1/k")
    with pytest.raises(client.Refused):
        client.Etcd(server.endpoints).range("/fipd/v1/k")


def test_a_token_that_a_change_of_users_ended_is_replaced(lab, tmp_path):
    server = Etcd(lab, options=jwt(tmp_path))
    server.enable_auth("neutron", "secret", "/fipd/v1/")
    etcd = client.Etcd(server.endpoints, user="neutron", password="secret")
    watching = client.Etcd(server.endpoints, user="neutron", password="secret")
    assert etcd.txn([], [client.put_op("/fipd/v1/k", "v")]).succeeded
    revision = watching.range("/fipd/v1/k").revision
    root = server.ask("/auth/authenticate", {"name": "root", "password": "root"})["token"]
    changed = server.members[0].ask("/auth/role/add", {"name": "another"}, token=root)
    assert "header" in changed, changed
    assert etcd.txn([], [client.put_op("/fipd/v1/k", "w")]).succeeded
    assert watching.range("/fipd/v1/k").items[0].value == "w"
    seen = next(Watch(watching, "/fipd/v1/", revision, silence=5).events())
    assert [item.value for item, _ in seen] == ["w"]


def test_client_certificates(lab):
    good, other = Certificates(lab), Certificates(lab, name="other")
    server = Etcd(lab, tls=good)
    tls = {"ca": good.ca, "cert": good.client_cert, "key": good.client_key}
    assert client.Etcd(server.endpoints, tls=tls).range("/k").items == []
    for wrong in ({**tls, "ca": other.ca}, {"ca": good.ca},
                  {**tls, "cert": other.client_cert, "key": other.client_key}):
        begun = time.monotonic()
        with pytest.raises(client.Unavailable):
            client.Etcd(server.endpoints, tls=wrong).range("/k")
        assert time.monotonic() - begun < 10
