"""Who may have a floating IP: conflicts, refusals, and files that are edited as people edit files."""
import os
from concurrent.futures import ThreadPoolExecutor

import pytest

import kernel
import talk
from waiting import stays, wait_for

A, B = "172.16.1.3", "172.16.1.4"


@pytest.fixture
def files(topology):
    yield topology.fipd
    for name in os.listdir(topology.fipd.binding_files):
        os.chmod(f"{topology.fipd.binding_files}/{name}", 0o644)
    # One at a time and with something left until the last: mass removals would be held.
    for name in sorted(os.listdir(topology.fipd.binding_files)):
        topology.fipd.remove_file(name)
    wait_for(lambda: not [row for row in topology.fipd.rows() if row["source"] != "api"], 10,
             "the files' claims are gone")


def rows(fipd, floating):
    return [row for row in fipd.rows() if row["floating"] == floating]


def test_the_loser_of_a_conflict_is_shown_and_takes_over_when_the_winner_goes(topology, files):
    files.announce(A, topology.instance.fixed)
    files.write_bindings("a.toml", [(A, topology.neighbour.fixed)])
    wait_for(lambda: len(rows(files, A)) == 2, 5, "both claims are shown")
    winner, loser = rows(files, A)
    assert (winner["state"], winner["source"]) == ("announced", "api")
    assert loser["state"] == "conflict" and "a.toml" in loser["source"]
    assert talk.tcp(topology.client, A)["server"] == "instance13"
    files.remove(A)
    wait_for(lambda: len(rows(files, A)) == 1, 10, "the loser alone is left")
    files.wait_state(A, "announced")
    assert talk.tcp(topology.client, A)["server"] == "instance14"
    assert topology.is_routed(A)


def test_whoever_adds_what_another_source_overrules_is_told_that_it_is_not_in_force(own_topology):
    fipd, fixed = own_topology.fipd, own_topology.instance.fixed
    fipd.settings["sources"] = {"order": ["files", "api"]}
    fipd.write_config()
    fipd.restart()
    fipd.write_bindings("a.toml", [(A, own_topology.neighbour.fixed)])
    fipd.wait_state(A, "announced", 10)
    for words in (["--replace"], ["--replace", "--wait=announced"]):
        told = fipd.ctl("add", A, fixed, *words)
        assert told.code == 5 and "a.toml" in told.err and "kept" in told.err, told
    told = fipd.ctl("apply", "-f", "-",
                    stdin=f'[[floating_ip]]\nfloating = "{A}"\nfixed = "{fixed}"\n')
    assert told.code == 5 and A in told.err, told
    # The same target needs no --replace, and is not in force either.
    told = fipd.ctl("add", A, own_topology.neighbour.fixed)
    assert told.code == 5 and "--replace" not in told.err, told
    with ThreadPoolExecutor(1) as pool:
        waits = pool.submit(fipd.ctl, "add", B, fixed, "--interface", "nowhere", "--wait=announced",
                            "--timeout", "30s")
        wait_for(lambda: fipd.state(B) == "waiting", 10, "it waits for its interface")
        fipd.write_bindings("b.toml", [(B, own_topology.neighbour.fixed)])
        told = waits.result()
    assert told.code == 5 and "b.toml" in told.err, told
    fipd.remove_file("a.toml")
    wait_for(lambda: len(rows(fipd, A)) == 1, 10, "the other claim is gone")
    fipd.announce(A, fixed, "--replace")


def test_an_add_of_an_address_bound_to_another_fixed_ip_is_a_conflict_unless_replaced(topology):
    topology.fipd.add(A, topology.instance.fixed)
    assert topology.fipd.ctl("add", A, topology.neighbour.fixed).code == 5
    assert topology.fipd.row(A)["fixed"] == topology.instance.fixed
    assert topology.fipd.ctl("add", A, topology.instance.fixed).code == 0
    topology.fipd.add(A, topology.neighbour.fixed, "--replace")
    assert topology.fipd.row(A)["fixed"] == topology.neighbour.fixed


REFUSED = {
    "outside_the_pools": ("192.0.2.1", "10.65.0.13"),
    "the_hosts_own_address": ("10.240.1.2", "10.65.0.13"),
    "multicast": ("224.0.0.9", "10.65.0.13"),
    "loopback": ("127.0.0.1", "10.65.0.13"),
    "link_local": ("169.254.1.9", "10.65.0.13"),
    "unspecified": ("0.0.0.0", "10.65.0.13"),
    "multicast_ipv6": ("ff02::1", "fd00:65::13"),
    "loopback_ipv6": ("::1", "fd00:65::13"),
    "link_local_ipv6": ("fe80::9", "fd00:65::13"),
    "mixed_families": ("172.16.1.9", "fd00:65::13"),
    "a_fixed_ip_that_is_loopback": ("172.16.1.9", "127.0.0.1"),
    "a_fixed_ip_that_is_its_own_floating_ip": ("172.16.1.9", "172.16.1.9"),
    "a_name_instead_of_an_address": ("example.org", "10.65.0.13"),
    "a_prefix_instead_of_an_address": ("172.16.1.0/24", "10.65.0.13"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_an_add_is_refused_of(topology, what):
    floating, fixed = REFUSED[what]
    answer = topology.fipd.ctl("add", floating, fixed)
    assert answer.code in (2, 6), answer
    assert len(answer.err) > 10, "the reason is told"
    assert topology.fipd.rows() == []
    assert kernel.routes(topology.host.namespace) == {}
    assert kernel.translations(topology.host.namespace) == {}


def test_a_fixed_ip_that_is_itself_a_floating_ip_is_refused(topology):
    topology.fipd.add(A, topology.instance.fixed)
    answer = topology.fipd.ctl("add", B, A)
    row = topology.fipd.row(B)
    assert answer.code == 6 or row["state"] == "refused", (answer, row)
    assert B not in kernel.routes(topology.host.namespace)


def test_a_refused_address_in_a_file_is_shown_with_its_reason_and_holds_up_no_other(topology,
                                                                                   files):
    files.write_bindings("a.toml", [("192.0.2.1", topology.instance.fixed),
                                    (A, topology.instance.fixed)])
    files.wait_state(A, "announced")
    row = files.wait_state("192.0.2.1", "refused")
    assert "pool" in row["reason"]
    assert set(kernel.routes(topology.host.namespace)) == {A}


def test_a_files_bindings_follow_its_edits(topology, files):
    files.write_bindings("a.toml", [(A, topology.instance.fixed)])
    files.wait_state(A, "announced")
    assert talk.tcp(topology.client, A)["server"] == "instance13"
    files.write_bindings("a.toml", [(A, topology.neighbour.fixed), (B, topology.instance.fixed)])
    files.wait_state(B, "announced")
    wait_for(lambda: (talk.tcp(topology.client, A) or {}).get("server") == "instance14", 3,
             "the change is there")
    files.write_bindings("a.toml", [(B, topology.instance.fixed)])
    files.wait_state(A, None, 10)
    files.wait_state(B, "announced")


def test_a_deleted_file_takes_its_bindings_along(topology, files):
    files.write_bindings("a.toml", [(A, topology.instance.fixed)])
    files.write_bindings("b.toml", [(B, topology.neighbour.fixed)])
    files.wait_state(A, "announced")
    files.wait_state(B, "announced")
    files.remove_file("a.toml")
    files.wait_state(A, None, 10)
    files.wait_state(B, "announced")


@pytest.mark.parametrize("content", ["", "[[floating_ip]]\nfloating = \"172.1", "[[floating_ip]]\n",
                                     "\0\0\0\0", "floating_ips = []\n"],
                         ids=["truncated", "cut", "without_keys", "zeros", "another_key"])
def test_a_broken_file_removes_nothing_and_is_told(topology, files, content):
    path = files.write_bindings("a.toml", [(A, topology.instance.fixed)])
    files.wait_state(A, "announced")
    with open(path, "w") as out:  # in place: truncated first, as `>` does
        out.write(content)
    wait_for(lambda: "a.toml" in files.ctl("status").text, 3, "status tells the file's problem")
    stays(lambda: topology.is_routed(A), 0.5, "nothing is withdrawn")
    files.wait_state(A, "announced")
    files.write_bindings("a.toml", [(A, topology.neighbour.fixed)])
    wait_for(lambda: (talk.tcp(topology.client, A) or {}).get("server") == "instance14", 3,
             "the mended file counts")
    wait_for(lambda: "a.toml" not in files.ctl("status").text, 3, "the problem is forgotten")


@pytest.mark.slow
def test_a_file_and_folder_that_vanish_and_return_lose_nothing(topology, files):
    files.write_bindings("a.toml", [(A, topology.instance.fixed)])
    files.wait_state(A, "announced")
    os.rename(files.binding_files, files.binding_files + ".away")
    try:
        stays(lambda: topology.is_routed(A), 0.5, "a lost folder is not a deletion")
    finally:
        os.rename(files.binding_files + ".away", files.binding_files)
    files.write_bindings("b.toml", [(B, topology.neighbour.fixed)])
    files.wait_state(B, "announced", 15)
    files.wait_state(A, "announced")


def test_a_file_that_loses_most_of_its_entries_is_held_until_accepted(topology, files):
    many = [(f"172.16.5.{number}", topology.instance.fixed) for number in range(30)]
    files.write_bindings("a.toml", many)
    files.wait_state("172.16.5.29", "announced")
    files.write_bindings("a.toml", many[:2])
    wait_for(lambda: files.ctl("status").code == 9, 3, "status is degraded")
    stays(lambda: len(kernel.routes(topology.host.namespace)) == 30, 0.5, "the removals are held")
    answer = files.ctl("accept")
    assert answer.code == 0, answer
    wait_for(lambda: len(kernel.routes(topology.host.namespace)) == 2, 10, "now they are removed")


@pytest.mark.slow
def test_files_are_read_at_start(topology, files):
    files.write_bindings("a.toml", [(A, topology.instance.fixed)])
    files.wait_state(A, "announced")
    files.stop()
    files.write_bindings("a.toml", [(A, topology.instance.fixed), (B, topology.neighbour.fixed)])
    files.start()
    files.wait_state(B, "announced")
    files.wait_state(A, "announced")
