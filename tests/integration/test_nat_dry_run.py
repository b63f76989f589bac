"""--dry-run: nothing is written by it, and what it says is what is then written."""
import json

import pytest

import kernel
from daemon import BAD_INPUT, CONFLICT, NOT_FOUND, OK
from waiting import wait_for

A, A6, B = "172.16.1.3", "2001:db8:1::3", "172.16.1.4"


def picture(host):
    """({map or set: {key: value}}, {destination: (interface, metric)})."""
    return kernel.elements(host), kernel.routes(host)


def foretold(before, preview):
    """What the kernel should hold after a change that a dry run has told."""
    maps = {name: dict(content) for name, content in before[0].items()}
    routes = dict(before[1])
    for element in preview["elements"]:
        content = maps.setdefault(element["map"], {})
        if element["change"] != "add":
            assert content[element["key"]] == element.get("before", ""), element
            del content[element["key"]]
        if element["change"] != "delete":
            assert element["key"] not in content, element
            content[element["key"]] = element.get("after", "")
    for route in preview["routes"]:
        place = route["interface"], route["metric"]
        if route["change"] in ("add", "replace"):
            routes[route["destination"]] = place
        elif routes.get(route["destination"]) == place:
            del routes[route["destination"]]
    return {name: content for name, content in maps.items() if content}, routes


def rehearse(topology, *words, stdin=None):
    """What a change would write; nothing is written, stored or announced by asking."""
    fipd, host = topology.fipd, topology.host.namespace
    rows = fipd.rows()
    watch = kernel.WriteWatch(topology.lab, host)
    answer = fipd.ctl(*words, "--dry-run", "--json", stdin=stdin)
    fipd.quiet(0.2)
    assert watch.stop() == []
    assert answer.code == OK, answer
    assert [row["floating"] for row in fipd.rows()] == [row["floating"] for row in rows]
    return answer.json


def expect_foretold(topology, *words, stdin=None):
    host = topology.host.namespace
    before = picture(host)
    preview = rehearse(topology, *words, stdin=stdin)
    assert picture(host) == before
    assert preview["elements"] or preview["routes"]
    answer = topology.fipd.ctl(*words, stdin=stdin)
    assert answer.code == OK, answer
    wanted = foretold(before, preview)
    wait_for(lambda: picture(host) == wanted, 5,
             lambda: f"foretold {wanted}\nbut it is {picture(host)}\nby {preview}")
    return preview


def test_an_add_is_written_as_it_was_told(topology):
    preview = expect_foretold(topology, "add", A, topology.instance.fixed)
    assert {"change": "add", "map": "fixed_by_floating", "key": A,
            "after": topology.instance.fixed} in preview["elements"]
    assert preview["routes"] == [{"change": "add", "destination": A, "metric": 1024,
                                  "interface": topology.instance.tap}]
    expect_foretold(topology, "add", A6, topology.instance.fixed6)


def test_a_retarget_is_written_as_it_was_told(topology):
    topology.fipd.add(A, topology.instance.fixed)
    topology.fipd.add(B, topology.instance.fixed)
    preview = expect_foretold(topology, "add", A, topology.neighbour.fixed, "--replace")
    changed = [element for element in preview["elements"] if element["change"] == "change"]
    assert {element["map"] for element in changed} >= {"fixed_by_floating"}


def test_a_document_is_written_as_it_was_told(topology):
    topology.fipd.add(A, topology.instance.fixed)
    document = json.dumps({"floating_ips": [
        {"floating": A, "fixed": topology.neighbour.fixed},
        {"floating": A6, "fixed": topology.instance.fixed6},
        {"floating": B, "forwards": ["tcp/443=10.65.0.13:8443", "udp/53=10.65.0.14:5353"]},
    ]})
    preview = expect_foretold(topology, "apply", "-f", "-", stdin=document)
    assert {"change": "add", "map": "forward", "key": f"{B} . tcp . 443",
            "after": "10.65.0.13 . 8443"} in preview["elements"]


def test_limits_are_written_as_they_were_told(topology):
    topology.fipd.add(A, topology.instance.fixed)
    document = json.dumps({"floating_ips": [
        {"floating": A, "fixed": topology.instance.fixed, "limits": {"connections": 20}}]})
    expect_foretold(topology, "apply", "-f", "-", stdin=document)


def test_what_changes_nothing_tells_nothing(topology):
    topology.fipd.add(A, topology.instance.fixed)
    preview = rehearse(topology, "add", A, topology.instance.fixed)
    assert preview["elements"] == [] and preview["routes"] == []


def test_the_commands_of_a_dry_run_do_by_hand_what_fipd_does(topology):
    """A person without fipd would type them: with the daemon stopped they bring the same picture."""
    host, fipd = topology.host.namespace, topology.fipd
    fipd.add(B, topology.neighbour.fixed)
    preview = rehearse(topology, "add", A, topology.instance.fixed, "--color", "7")
    wanted = foretold(picture(host), preview)
    fipd.stop()
    for command in preview["commands"]:
        host.run("sh", "-ec", command)
    assert picture(host) == wanted
    assert "realm 7" in host.run("ip", "-N", "route", "show", A, "table", "172").stdout
    fipd.start()
    wait_for(lambda: A not in kernel.translations(host), 10, "it was never asked for")


def test_the_words_for_people_name_elements_and_routes(topology):
    answer = topology.fipd.ctl("add", A, topology.instance.fixed, "--dry-run")
    assert answer.code == OK and topology.fipd.rows() == []
    for word in (A, topology.instance.fixed, topology.instance.tap, "fixed_by_floating", "1024"):
        assert word in answer.out, answer.out


REFUSED = {
    "a_conflict": (("add", A, "10.65.0.14"), CONFLICT),
    "bad_input": (("add", "192.0.2.1", "10.65.0.14"), BAD_INPUT),
}


@pytest.mark.parametrize("words, code", REFUSED.values(), ids=REFUSED.keys())
def test_what_would_be_refused_is_refused_in_the_dry_run(topology, words, code):
    topology.fipd.add(A, topology.instance.fixed)
    assert topology.fipd.ctl(*words, "--dry-run").code == code
    assert topology.fipd.ctl(*words).code == code
    assert topology.fipd.ctl("rm", "172.16.1.200").code == NOT_FOUND
