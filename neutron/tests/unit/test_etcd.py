"""The client of etcd: deadlines, endpoints, users; and the watch. Over real sockets."""
import json
import random
import socket
import time

from fake_gateway import Gateway, ok
from networking_fipd.etcd import Etcd, Refused, Unavailable
from networking_fipd.watch import Lost, Watch
import pytest


@pytest.fixture
def gateway():
    made = []

    def make(answers):
        made.append(Gateway(answers if callable(answers) else lambda *_: answers))
        return made[-1]
    yield make
    for each in made:
        each.close()


@pytest.fixture(autouse=True)
def in_order(monkeypatch):
    monkeypatch.setattr(random, "shuffle", lambda endpoints: None)


def fails_within(seconds, call):
    begun = time.monotonic()
    with pytest.raises(Unavailable):
        call()
    assert time.monotonic() - begun < seconds


@pytest.mark.parametrize("answer", [
    (200, [5.0]),                                           # silence
    (200, ["{", *[part for _ in range(50) for part in (" ", 0.1)], "}"]),  # one byte at a time
    (200, ["not JSON"]), (200, ["[]"]), (200, ["{}"]), (503, ["{}"]), (500, ["no leader"])])
def test_whatever_etcd_does_a_call_ends_in_time(gateway, answer):
    etcd = Etcd([gateway(answer).url], timeout=0.5)
    fails_within(3, lambda: etcd.range("k"))


def test_a_port_that_nobody_serves_and_one_that_nobody_accepts_on():
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        fails_within(2, lambda: Etcd([f"http://127.0.0.1:{deaf.getsockname()[1]}"], 0.5).range("k"))
        deaf.listen(0)
        fails_within(2, lambda: Etcd([f"http://127.0.0.1:{deaf.getsockname()[1]}"], 0.5).range("k"))


def test_another_endpoint_is_asked_and_stays_the_first(gateway):
    hung, good = gateway((200, [5.0])), gateway(ok())
    etcd = Etcd([hung.url, good.url], timeout=1)
    assert etcd.range("k").revision == 5
    assert etcd.range("k").revision == 5
    assert len(hung.requests) == 1 and len(good.requests) == 2


def test_a_refusal_is_not_asked_of_another(gateway):
    first, second = gateway((400, ['{"error": "key is not provided"}'])), gateway(ok())
    with pytest.raises(Refused, match="key is not provided"):
        Etcd([first.url, second.url]).range("k")
    assert not second.requests


def test_zero_values_that_etcd_leaves_out(gateway):
    etcd = Etcd([gateway(ok(kvs=[{"key": "aw==", "mod_revision": "3"}])).url])
    assert etcd.range("k").items == [("k", "", 3, 0)]
    assert etcd.txn([], []).succeeded is False
    assert Etcd([gateway((200, ['{"result": {"ID": "7"}}'])).url]).keep_alive(7) == 0


@pytest.mark.parametrize("status, words", [
    (401, "etcdserver: invalid auth token"), (401, "in other words"),
    (400, "etcdserver: invalid auth token"), (400, "etcdserver: revision of auth store is old")])
def test_a_token_that_died_is_renewed_once(gateway, status, words):
    tokens = iter(["old", "new", "newer"])

    def answers(path, body, headers):
        if path == "/v3/auth/authenticate":
            assert body == {"name": "neutron", "password": "secret"}
            return 200, [json.dumps({"token": next(tokens)})]
        if headers.get("Authorization") == "new":
            return ok()
        return status, [json.dumps({"error": words})]
    etcd = Etcd([gateway(answers).url], user="neutron", password="secret")
    assert etcd.range("k").revision == 5
    assert etcd.range("k").revision == 5
    assert next(tokens) == "newer"


def line(**result):
    return json.dumps({"result": {"header": {"revision": "12", "cluster_id": "1"}, **result}})


def event(key, **more):
    return {"kv": {"key": key, "mod_revision": "12"}, **more}


def watched(gateway, parts, silence=0.5, **options):
    etcd = Etcd([gateway((200, parts)).url])
    watch = Watch(etcd, "/s/", 10, options.get("cluster"), silence)
    return watch, watch.events()


def test_a_watch_frames_by_newline_whatever_the_chunks_are(gateway):
    text = line(created=True) + "\n" + line(events=[event("YQ=="), event(
        "Yg==", type="DELETE")]) + "\n"
    watch, events = watched(gateway, [*text, 0.1])
    assert [(item.key, deleted) for batch in events for item, deleted in batch] == [
        ("a", False), ("b", True)]
    assert watch.revision == 12


def test_a_silent_watch_ends_and_can_go_on_at_its_revision(gateway):
    begun = time.monotonic()
    watch, events = watched(gateway, [line(created=True) + "\n", 10.0])
    assert list(events) == [] and time.monotonic() - begun < 5 and watch.revision == 10


@pytest.mark.parametrize("result, cluster", [
    ({"canceled": True, "compact_revision": "11"}, None),
    ({"created": True, "header": {"revision": "9", "cluster_id": "1"}}, None),
    ({"created": True}, "another")])
def test_a_watch_that_misses_something_says_so(gateway, result, cluster):
    with pytest.raises(Lost):
        list(watched(gateway, [line(**result) + "\n", 1.0], cluster=cluster)[1])


@pytest.mark.parametrize("text", ["garbage\n", "{}\n", '{"error": {"message": "stopped"}}\n',
                                  line(canceled=True, cancel_reason="permission denied") + "\n"])
def test_a_watch_that_cannot_go_on_is_begun_anew(gateway, text):
    with pytest.raises(Unavailable):
        list(watched(gateway, [text, 1.0])[1])
