"""docs/openapi.yaml against the real server: what it answers is what the document says."""
import json
import pathlib
import select
import subprocess
import sys

import jsonschema
import pytest
import yaml

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import fixture  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[3]
DOCUMENT = yaml.safe_load((ROOT / "docs/openapi.yaml").read_text())
SCHEMAS = DOCUMENT["components"]["schemas"]
ADDRESS = "/v1/floating-ips/{address}"


def validate(value, schema):
    resolver = jsonschema.RefResolver("", DOCUMENT)
    jsonschema.Draft4Validator(schema, resolver=resolver).validate(value)


def schema_of(path, method, status):
    responses = DOCUMENT["paths"][path][method]["responses"]
    response = responses.get(str(status), responses["default"])
    if "$ref" in response:
        response = DOCUMENT["components"]["responses"][response["$ref"].rsplit("/", 1)[1]]
    return next(iter(response["content"].values()))["schema"] if "content" in response else None


def check(server, path, method, expected, target=None, body=None):
    arguments = ["-X", method.upper()]
    if body is not None:
        arguments += ["-d", body if isinstance(body, str) else json.dumps(body)]
    status, text = server.curl(target or path, *arguments)
    assert status == expected, text
    schema = schema_of(path, method, status)
    if schema is None:
        assert text == ""
        return None
    answer = json.loads(text)
    validate(answer, schema)
    return answer


@pytest.fixture(scope="module")
def server():
    with fixture.running() as started:
        yield started


def test_the_document_holds_together():
    references = set()

    def walk(node):
        if isinstance(node, dict):
            if "$ref" in node:
                references.add(node["$ref"])
            for child in node.values():
                walk(child)
        elif isinstance(node, list):
            for child in node:
                walk(child)

    walk(DOCUMENT)
    for reference in references:
        node = DOCUMENT
        for part in reference.removeprefix("#/").split("/"):
            node = node[part]
    for schema in SCHEMAS.values():
        jsonschema.Draft4Validator.check_schema(schema)


@pytest.mark.parametrize("name", [n for n, s in SCHEMAS.items() if "example" in s])
def test_every_example_fits_its_schema(name):
    validate(SCHEMAS[name]["example"], SCHEMAS[name])


def test_every_operation_exists(server):
    for path, item in DOCUMENT["paths"].items():
        status, text = server.curl(path.replace("{address}", "172.16.1.99"), "-X", "OPTIONS", "-i")
        assert status == 204, path
        allow = next(line for line in text.splitlines() if line.startswith("Allow:"))
        offered = {m.strip().lower() for m in allow.removeprefix("Allow:").split(",")}
        assert offered - {"options", "head"} == set(item) - {"parameters"}, path


def test_one_floating_ip(server):
    body = SCHEMAS["BindingOfPath"]["example"]
    check(server, ADDRESS, "put", 201, "/v1/floating-ips/172.16.1.3?wait=announced", body)
    check(server, ADDRESS, "put", 200, "/v1/floating-ips/172.16.1.3", body)
    assert check(server, ADDRESS, "get", 200, "/v1/floating-ips/172.16.1.3")["fixed"] == body["fixed"]
    check(server, ADDRESS, "put", 409, "/v1/floating-ips/172.16.1.3?replace=false",
          {"fixed": "10.65.0.99"})
    check(server, ADDRESS, "delete", 204, "/v1/floating-ips/172.16.1.3")
    check(server, ADDRESS, "get", 404, "/v1/floating-ips/172.16.1.3")


def test_ipv6_plain_and_percent_encoded(server):
    body = {"fixed": "fd00::13", "id": "x", "port": "y", "primary": True}
    check(server, ADDRESS, "put", 201, "/v1/floating-ips/2001:db8::3", body)
    found = check(server, ADDRESS, "get", 200, "/v1/floating-ips/2001%3adb8%3A%3a3")
    assert found["floating"] == "2001:db8::3"


def test_a_batch_and_its_listing(server):
    batch = {"floating_ips": [{"floating": f"192.0.2.{i}", "fixed": "10.0.0.1"} for i in range(9)]}
    assert check(server, "/v1/floating-ips", "post", 200, None, batch) == {"put": 9, "removed": 0}
    rows = check(server, "/v1/floating-ips", "get", 200)["floating_ips"]
    assert {row["state"] for row in rows if row["source"] != "api"} == {"conflict"}
    shown = check(server, ADDRESS, "get", 200, "/v1/floating-ips/192.0.2.1")
    assert [row["state"] for row in shown["conflicts"]] == ["conflict"]
    gone = {"remove": [f"192.0.2.{i}" for i in range(9)]}
    assert check(server, "/v1/floating-ips", "post", 200, None, gone) == {"put": 0, "removed": 9}


def test_what_sources_cannot_take():
    with fixture.running("--refused") as server:
        rows = check(server, "/v1/floating-ips", "get", 200)["floating_ips"]
        assert [row["state"] for row in rows] == ["refused"] * 4
        assert ["floating" in row for row in rows] == [True, True, False, False]
        shown = check(server, ADDRESS, "get", 200, "/v1/floating-ips/172.16.1.4")
        assert shown["source"] == "etcd:77aa" and "fixed" not in shown


def test_forwards_and_limits(server):
    path = ADDRESS + "/forwards"
    here = "/v1/floating-ips/2001:db8::44"
    edit = {"add": ["tcp/2=[fd00::1]:2"]}
    assert check(server, path, "post", 404, here + "/forwards", edit)["error"]["code"] == "not_found"
    check(server, ADDRESS, "put", 201, here,
          {"forwards": ["tcp/1=[fd00::1]:1"], "limits": SCHEMAS["Limits"]["example"]})
    row = check(server, path, "post", 200, here + "/forwards?wait=announced", edit)
    assert row["forwards"] == ["tcp/1=[fd00::1]:1", "tcp/2=[fd00::1]:2"]
    assert row["limits"] == SCHEMAS["Limits"]["example"] and "fixed" not in row
    taken = {"add": ["tcp/2=[fd00::9]:2"]}
    refused = check(server, path, "post", 409, here + "/forwards", taken)
    assert refused["error"]["code"] == "forward_conflict"
    check(server, path, "post", 200, here + "/forwards?replace=true", taken)
    gone = check(server, path, "post", 404, here + "/forwards", {"remove": ["udp/9"]})
    assert gone["error"]["code"] == "forward_not_found"
    for nonsense in ({}, {"add": []}, {"add": ["tcp/0=10.0.0.1:1"]}, {"remove": [7]}, {"rm": ["tcp/1"]}):
        check(server, path, "post", 400, here + "/forwards", nonsense)
    check(server, ADDRESS, "delete", 204, here)


def test_a_dry_run_tells_what_would_be_written(server):
    here = "/v1/floating-ips/172.16.1.71"
    body = {"fixed": "10.0.0.1"}
    told = check(server, ADDRESS, "put", 200, here + "?dry_run=true", body)
    assert told["elements"] == [{"change": "add", "map": "fixed_by_floating", "key": "172.16.1.71",
                                 "after": "10.0.0.1"}]
    check(server, ADDRESS, "get", 404, here)
    batch = {"floating_ips": [{"floating": "172.16.1.71", **body}]}
    assert check(server, "/v1/floating-ips", "post", 200, "/v1/floating-ips?dry_run=true", batch) == told
    check(server, ADDRESS, "put", 201, here, body)
    gone = check(server, ADDRESS, "delete", 200, here + "?dry_run=true")
    assert gone["elements"] == [] and gone["elements_later"] and gone["notes"]
    check(server, ADDRESS, "put", 409, here + "?dry_run=true&replace=false", {"fixed": "10.0.0.2"})
    check(server, ADDRESS, "put", 400, here + "?dry_run=true&wait=routed", body)
    check(server, ADDRESS, "delete", 204, here)
    check(server, ADDRESS, "delete", 404, here + "?dry_run=true")


def test_traffic_is_told_where_it_is_asked_for(server):
    check(server, ADDRESS, "put", 201, "/v1/floating-ips/172.16.1.8", {"fixed": "10.0.0.8"})
    plain = check(server, "/v1/floating-ips", "get", 200)["floating_ips"]
    assert all("traffic" not in row for row in plain)
    counted = check(server, "/v1/floating-ips", "get", 200, "/v1/floating-ips?counters=true")
    assert {row["traffic"]["in_packets"] for row in counted["floating_ips"]} == {7}
    shown = check(server, ADDRESS, "get", 200, "/v1/floating-ips/172.16.1.8")
    assert shown["traffic"]["in_bytes"] > counted["floating_ips"][0]["traffic"]["in_bytes"]
    check(server, ADDRESS, "delete", 204, "/v1/floating-ips/172.16.1.8")


def test_errors(server):
    codes = {
        400: check(server, "/v1/floating-ips", "post", 400, None, "{"),
        404: check(server, "/v1/status", "get", 404, "/v1/doctor"),
        405: check(server, "/v1/status", "get", 405, "/v1/reload"),
        504: check(server, ADDRESS, "put", 504,
                   "/v1/floating-ips/192.0.2.77?wait=routed&timeout=10ms", {"fixed": "10.0.0.1"}),
    }
    assert {status: body["error"]["code"] for status, body in codes.items()} == {
        400: "bad_input", 404: "not_found", 405: "method_not_allowed", 504: "wait_timeout"}


def test_more_than_16_mib_is_refused_in_words(server, tmp_path):
    big = tmp_path / "big.json"
    big.write_bytes(b" " * ((16 << 20) + 1))
    check(server, "/v1/floating-ips", "post", 413, None, f"@{big}")


def test_peers(server):
    assert check(server, "/v1/peers", "get", 200)["peers"][0]["neighbor"] == "10.240.0.1"


def test_status_reload_and_accept(server):
    assert check(server, "/v1/status", "get", 200)["healthy"] is True
    check(server, "/v1/reload", "post", 200)
    check(server, "/v1/accept", "post", 200, "/v1/accept?source=files")
    with fixture.running("--degraded") as degraded:
        assert check(degraded, "/v1/status", "get", 200)["problems"]
        check(degraded, "/v1/reload", "post", 400)


def test_drain_and_undrain(server):
    check(server, ADDRESS, "put", 201, "/v1/floating-ips/172.16.1.8", {"fixed": "10.0.0.8"})
    report = check(server, "/v1/drain", "post", 200, None, {"floating_ips": ["172.16.1.8"]})
    assert report["marked"] == 1 and not report["all"]
    assert "connections" in check(server, "/v1/drain", "get", 200, "/v1/drain?connections=true")
    check(server, "/v1/undrain", "post", 200, None, {"floating_ips": ["172.16.1.8"]})
    check(server, "/v1/drain", "post", 404, None, {"floating_ips": ["172.16.1.99"]})
    check(server, "/v1/drain", "post", 400, None, {"all": "yes"})
    assert check(server, "/v1/drain", "post", 200, None, {"all": True})["all"]
    check(server, "/v1/undrain", "post", 409, None, {"floating_ips": ["172.16.1.8"]})
    assert not check(server, "/v1/undrain", "post", 200, None, {"all": True})["all"]
    check(server, ADDRESS, "delete", 204, "/v1/floating-ips/172.16.1.8")


def test_events(server):
    stream = subprocess.Popen(["curl", "-sSN", "--unix-socket", server.socket,
                               "http://fipd/v1/events"], stdout=subprocess.PIPE, text=True)
    try:
        lines = []
        while not lines:  # curl does not say when it is connected
            server.curl("/v1/floating-ips/198.51.100.1", "-X", "PUT", "-d", '{"fixed": "10.0.0.1"}')
            if select.select([stream.stdout], [], [], 0.2)[0]:
                lines.append(stream.stdout.readline())
        event = json.loads(lines[0])
        validate(event, SCHEMAS["Event"])
        assert event["floating"] == "198.51.100.1"
    finally:
        stream.terminate()
        stream.wait()
        stream.stdout.close()


def test_strangers_may_read_where_it_is_allowed_and_never_change():
    def as_nobody(server, *arguments):
        return subprocess.run(
            ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "curl", "-s", "-o",
             "/dev/null", "-w", "%{http_code}", "--unix-socket", server.socket, *arguments],
            capture_output=True, text=True, timeout=30).stdout

    with fixture.running("--read-by-all") as open_one:
        assert as_nobody(open_one, "http://fipd/v1/status") == "200"
        assert as_nobody(open_one, "-X", "POST", "http://fipd/v1/reload") == "403"
        assert as_nobody(open_one, "-X", "DELETE", "http://fipd/v1/floating-ips/1.2.3.4") == "403"
    with fixture.running() as closed:
        assert as_nobody(closed, "http://fipd/v1/status") == "000"  # the file's mode


def test_metrics_alone_on_tcp():
    import socket
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with fixture.running("--metrics", f"127.0.0.1:{port}"):
        def get(path):
            return subprocess.run(["curl", "-s", "-w", "%{http_code}",
                                   f"http://127.0.0.1:{port}{path}"],
                                  capture_output=True, text=True, timeout=30).stdout
        assert "fipd_build_info" in get("/metrics")
        assert get("/v1/status").endswith("404")
