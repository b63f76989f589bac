"""Fifty thousand at once: one request, one transaction, and the daemon answers others meanwhile."""
import json
import socket
import subprocess
import threading
import time

import pytest

import kernel
import talk
from daemon import FIPCTL
from waiting import wait_for

COUNT = 50000


def addresses():
    return [f"172.{17 + number // 65536}.{number // 256 % 256}.{number % 256}"
            for number in range(COUNT)]


def document(fixed):
    return json.dumps({"floating_ips": [{"floating": floating, "fixed": fixed}
                                        for floating in addresses()]})


@pytest.mark.slow
def test_apply_of_50000_is_one_request_and_ls_and_status_answer_meanwhile(own_topology):
    fipd = own_topology.fipd
    fipd.announce("172.16.1.3", own_topology.neighbour.fixed)
    path = own_topology.lab.file("many.json")
    with open(path, "w") as out:
        out.write(document(own_topology.instance.fixed))
    slowest, asked, done = [0.0], [0], threading.Event()

    def ask():
        while not done.is_set():
            for words in (["status"], ["show", "172.16.1.3"]):
                start = time.monotonic()
                answer = subprocess.run([FIPCTL, "--socket", fipd.socket, *words],
                                        capture_output=True, timeout=60)
                assert answer.returncode in (0, 9), answer
                slowest[0] = max(slowest[0], time.monotonic() - start)
                asked[0] += 1

    thread = threading.Thread(target=ask)
    thread.start()
    start = time.monotonic()
    answer = fipd.ctl("apply", "-f", path, timeout=120)
    took = time.monotonic() - start
    done.set()
    thread.join()
    assert answer.code == 0, answer
    assert took < 30
    assert asked[0] >= 2
    assert slowest[0] < 1.0, f"an answer took {slowest[0]:.2f} s beside an apply of {took:.1f} s"

    host = own_topology.host.namespace
    wait_for(lambda: len(kernel.routes(host)) == COUNT + 1, 20, "all routes are there", 0.5)
    assert len(kernel.translations(host)) == COUNT + 1
    last = addresses()[-1]
    own_topology.wait_routed(last, 30)
    assert talk.tcp(own_topology.client, last)["server"] == "instance13"
    start = time.monotonic()
    assert len(fipd.rows()) == COUNT + 1
    assert time.monotonic() - start < 5

    # A restart among 50,000 changes nothing either.
    watch = kernel.WriteWatch(own_topology.lab, host)
    fipd.restart(kill=True)
    fipd.quiet(1.0)
    assert watch.stop() == []


def test_an_apply_with_one_bad_entry_is_refused_as_a_whole(topology):
    good = {"floating": "172.16.1.3", "fixed": topology.instance.fixed}
    bad = {"floating": "192.0.2.1", "fixed": topology.instance.fixed}
    answer = topology.fipd.ctl("apply", "-f", "-",
                               stdin=json.dumps({"floating_ips": [good, bad]}))
    assert answer.code == 6 and "192.0.2.1" in answer.text, answer
    assert topology.fipd.rows() == []
    assert kernel.translations(topology.host.namespace) == {}


@pytest.mark.slow
def test_a_burst_of_512_requests_is_a_handful_of_transactions(topology):
    connections = []
    before = topology.fipd.ctl("status", "--json").json["counters"]["nat_transactions"]
    for _ in range(32):
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.connect(topology.fipd.socket)
        connections.append(sock)
    for turn in range(16):
        for index, sock in enumerate(connections):
            floating = f"172.16.{6 + turn // 8}.{turn % 8 * 32 + index}"
            body = json.dumps({"floating": floating, "fixed": topology.instance.fixed})
            sock.sendall(f"PUT /v1/floating-ips/{floating} HTTP/1.1\r\nHost: fipd\r\n"
                         f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
                         f"{body}".encode())
    for sock in connections:
        answers = b""
        while answers.count(b"HTTP/1.1 2") < 16:
            data = sock.recv(65536)
            assert data, answers[-500:]
            answers += data
        sock.close()
    assert len(kernel.translations(topology.host.namespace)) == 512
    after = topology.fipd.ctl("status", "--json").json["counters"]["nat_transactions"]
    assert after - before < 150, f"{after - before} transactions for 512 requests"
    rows = [row["floating"] for row in topology.fipd.rows()]
    removal = json.dumps({"remove": rows})
    done = subprocess.run(["curl", "-s", "--fail-with-body", "--unix-socket", topology.fipd.socket,
                           "-H", "Content-Type: application/json", "-d", removal,
                           "http://fipd/v1/floating-ips"], text=True, capture_output=True)
    assert done.returncode == 0, done.stdout
    wait_for(lambda: not topology.fipd.rows(), 15, "all are gone")
