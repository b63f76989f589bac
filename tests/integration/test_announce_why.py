"""Why an address is not announced: each thing that can stand in the way, made by a real BIRD."""
import json
import signal
import subprocess

import pytest

import kernel
from waiting import wait_for

A, B, C = "172.16.1.3", "172.16.1.4", "172.16.1.5"


def wait_ls(fipd, floating, state, reason="", timeout=15):
    def is_so():
        row = fipd.row(floating)
        right = reason in row["reason"] if reason else not row["reason"]
        return row["state"] == state and right and row
    return wait_for(is_so, timeout, lambda: f"{floating} is {state}: {fipd.row(floating)}", 0.05)


def reconfigure(host, edit):
    """Changes BIRD's configuration as an operator would: files, then `birdc configure`."""
    texts = {}
    for name in ("bird.conf", "fipd.conf", "fipd-local.conf"):
        with open(f"{host.bird.folder}/{name}") as conf:
            texts[name] = conf.read()
    before = dict(texts)
    edit(texts)
    assert texts != before
    for name, text in texts.items():
        with open(f"{host.bird.folder}/{name}", "w") as conf:
            conf.write(text)
    said = host.bird.birdc("configure")
    assert "econfigur" in said and "error" not in said, said


def replaced(name, old, new):
    def edit(texts):
        assert old in texts[name], texts[name]
        texts[name] = texts[name].replace(old, new)
    return edit


def status_says(fipd, *words):
    answer = fipd.ctl("status")
    assert answer.code == 9 and all(word in answer.out for word in words), answer


def test_the_import_filter_rejects_it(own_topology):
    fipd, host = own_topology.fipd, own_topology.host
    fipd.announce(B, own_topology.neighbour.fixed)
    reconfigure(host, replaced("fipd-local.conf", "172.16.0.0/12{32,32}", "172.16.1.4/32"))
    fipd.add(A, own_topology.instance.fixed)
    row = wait_ls(fipd, A, "routed", "import filter fipd_import4 of fipd_kernel4 rejects it")
    assert row["announced"] == []
    status_says(fipd, "1 floating IP(s) not announced, as 172.16.1.3", "fipd_import4")
    reconfigure(host, replaced("fipd-local.conf", "172.16.1.4/32", "172.16.0.0/12{32,32}"))
    wait_ls(fipd, A, "announced", timeout=20)


def test_the_export_filter_rejects_it(own_topology):
    fipd, host = own_topology.fipd, own_topology.host
    reconfigure(host, replaced("bird.conf", "error wait time 1, 2;",
                               "error wait time 1, 2; ipv4 { export where net != 172.16.1.3/32; };"))
    host.bird.wait_established("tor1")
    fipd.add(A, own_topology.instance.fixed)
    wait_ls(fipd, A, "learned", "of session tor1 rejects it")
    shown = fipd.shown(A)
    assert shown["state"] == "learned" and "rejects" in shown["reason"]


def test_the_export_limit_is_hit(own_topology):
    fipd, host = own_topology.fipd, own_topology.host
    reconfigure(host, replaced("fipd-local.conf", "fipd_max_routes = 200000", "fipd_max_routes = 1"))
    fipd.announce(A, own_topology.instance.fixed)
    fipd.add(B, own_topology.instance.fixed)
    wait_ls(fipd, B, "learned", "session tor1 has hit its export limit")
    wait_ls(fipd, A, "announced")


def test_a_strangers_route_hides_it(own_topology):
    fipd, host = own_topology.fipd, own_topology.host
    fipd.announce(A, own_topology.instance.fixed)
    host.namespace.ip(f"route add {A} dev {own_topology.instance.tap} table 172 proto static metric 5")
    wait_ls(fipd, A, "routed", "a stranger's route to it (protocol 4, metric 5)", timeout=20)
    host.namespace.ip(f"route del {A} dev {own_topology.instance.tap} table 172 proto static metric 5")
    wait_ls(fipd, A, "announced", timeout=30)


def test_another_kernel_protocol_has_the_table(own_topology):
    fipd, host = own_topology.fipd, own_topology.host
    host.bird.stop()
    with open(host.bird.conf) as conf:
        text = conf.read()
    thief = ("ipv4 table stolen;\nprotocol kernel thief { kernel table 172; learn; "
             "ipv4 { table stolen; import all; export none; }; }\n")
    host.bird.configure(text.replace('include "fipd.conf";', thief + 'include "fipd.conf";'))
    host.bird.start()
    fipd.add(A, own_topology.instance.fixed)
    wait_for(lambda: "kernel protocol fipd_kernel4 is not up but in start" in
             fipd.ctl("status").out, 20, lambda: f"status says it: {fipd.ctl('status')}", 0.2)
    # The thief has learned it, and leads to no session.
    wait_ls(fipd, A, "learned", "no pipe joins them", timeout=20)


def test_the_preference_trap(own_topology):
    """A copy of the same /32 by BGP, and the operator set the preference back to BIRD's default."""
    fipd, host = own_topology.fipd, own_topology.host
    with open(own_topology.bird.conf) as conf:
        text = conf.read()
    copy = f"protocol static copy {{ ipv4; route {A}/32 blackhole; }}\n"
    own_topology.bird.configure(copy + text.replace("export none", "export where proto = \"copy\"", 1))
    own_topology.bird.birdc("configure")
    fipd.announce(A, own_topology.instance.fixed)
    row = wait_ls(fipd, A, "announced", "also announced by", timeout=20)
    assert row["also_announced_by"] == ["AS64500 behind 10.240.1.1"], row
    reconfigure(host, replaced("fipd.conf", "define fipd_preference = 200",
                               "define fipd_preference = 10"))
    wait_ls(fipd, A, "learned", "the route from tor1 (preference 100) wins over ours (preference 10)",
            timeout=20)
    status_says(fipd, "set fipd_preference")
    reconfigure(host, replaced("fipd.conf", "define fipd_preference = 10",
                               "define fipd_preference = 200"))
    wait_ls(fipd, A, "announced", "also announced by", timeout=20)


def test_lost_events_are_made_good_by_a_nudge(own_topology):
    """The socket's buffer as BIRD's default has it, BIRD stopped meanwhile, and its own scan far off."""
    fipd, host = own_topology.fipd, own_topology.host
    host.bird.stop()
    with open(f"{host.bird.folder}/fipd.conf") as conf:
        text = conf.read()
    with open(f"{host.bird.folder}/fipd.conf", "w") as conf:
        conf.write(text.replace("netlink rx buffer 33554432;", "")
                   .replace("scan time 10;", "scan time 3000;"))
    host.bird.start()
    host.bird.wait_established("tor1")
    wait_for(lambda: fipd.ctl("peers", "--json").json["peers"][0]["established"], 10, "fipd sees it")
    pairs = [(f"172.17.{n // 250}.{1 + n % 250}", f"10.65.{4 + n // 250}.{1 + n % 250}")
             for n in range(3000)]
    host.namespace.run("ip", "route", "add", "10.65.0.0/18", "dev", own_topology.instance.tap)
    host.bird.process.send(signal.SIGSTOP)
    try:
        fipd.write_bindings("many.toml", pairs)
        wait_for(lambda: len(kernel.routes(host.namespace)) == len(pairs), 20, "all are routed", 0.2)
    finally:
        host.bird.process.send(signal.SIGCONT)
    fipd.wait_log("made fipd_kernel4", "read the kernel's table again", timeout=40)
    wait_for(lambda: fipd.ctl("status", "--json").json["floating_ips"]["announced"] == len(pairs), 40,
             lambda: f"all are announced: {fipd.ctl('status', '--json').json['floating_ips']}", 0.5)


def test_a_removal_of_many_does_not_wait_out_the_linger_time(own_topology):
    fipd, host = own_topology.fipd, own_topology.host
    fipd.settings["nat"]["linger"] = "60s"
    fipd.write_config()
    fipd.hangup()
    pairs = [(f"172.17.{n // 250}.{1 + n % 250}", f"10.65.{4 + n // 250}.{1 + n % 250}")
             for n in range(2000)]
    host.namespace.run("ip", "route", "add", "10.65.0.0/18", "dev", own_topology.instance.tap)
    bind = {"floating_ips": [{"floating": floating, "fixed": fixed} for floating, fixed in pairs]}
    assert fipd.ctl("apply", "-f", "-", "--wait=announced", "--timeout=60s",
                    stdin=json.dumps(bind)).code == 0
    assert len(kernel.translations(host.namespace)) == 2000
    removal = json.dumps({"remove": [floating for floating, _ in pairs]})
    done = subprocess.run(["curl", "-s", "--fail-with-body", "--unix-socket", fipd.socket,
                           "-H", "Content-Type: application/json", "-d", removal,
                           "http://fipd/v1/floating-ips"], text=True, capture_output=True)
    assert done.returncode == 0, done.stdout
    wait_for(lambda: not kernel.translations(host.namespace), 30,
             "all are let go, long before the 60 s are over", 0.2)


def test_the_same_address_on_a_second_host_is_noticed(two_hosts):
    first, second = two_hosts.hosts
    with open(two_hosts.bird.conf) as conf:
        text = conf.read()
    two_hosts.bird.configure(text.replace("export none; };\n  ipv6", "export all; };\n  ipv6"))
    two_hosts.bird.birdc("configure")
    monitors = [two_hosts.lab.start(f"monitor{n}", ["stdbuf", "-oL", *monitor_of(host)],
                                    host.namespace) for n, host in enumerate(two_hosts.hosts)]
    first.fipd.announce(A, first.instances[0].fixed)
    second.fipd.announce(A, second.instances[0].fixed)

    def noticed():
        for host, other in ((first, second), (second, first)):
            row = host.fipd.row(A)
            if row.get("also_announced_by"):
                return host, other, row
        return None
    host, other, row = wait_for(noticed, 20, "one of them hears of the other")
    assert row["state"] == "announced" and "also announced by" in row["reason"]
    assert f"AS{other.asn}" in row["also_announced_by"][0], row
    assert "announced by other hosts as well" in host.fipd.ctl("status").out
    wait_for(lambda: any("is also announced by" in monitor.text() for monitor in monitors), 5,
             "a monitor tells of it")
    other.fipd.remove(A)
    # Whichever it is: the first of them, or the second, which is preferred for the settling time.
    wait_for(lambda: "also_announced_by" not in host.fipd.row(A), 20, "it is alone again")
    assert host.fipd.row(A)["state"] == "announced"
    assert "also announced" not in host.fipd.row(A).get("reason", "")


def monitor_of(host):
    from daemon import FIPCTL
    return [FIPCTL, "--socket", host.fipd.socket, "monitor"]


@pytest.mark.slow
def test_birds_new_names_are_found_without_a_word_to_fipd(own_topology):
    """Reconfigured with other protocol names; nothing in fipd.toml names any."""
    fipd, host = own_topology.fipd, own_topology.host
    fipd.announce(A, own_topology.instance.fixed)

    def rename(texts):
        texts["bird.conf"] = texts["bird.conf"].replace("tor1", "uplink")
        texts["fipd.conf"] = texts["fipd.conf"].replace("kernel fipd_kernel", "kernel other_name")
    reconfigure(host, rename)
    wait_for(lambda: (fipd.row(A) or {}).get("announced") == ["uplink"], 30,
             lambda: f"announced by the new session: {fipd.row(A)}", 0.1)
    assert fipd.ctl("status", "--json").json["bird"]["kernel_protocols"] == [
        {"name": "other_name4", "state": "up"}, {"name": "other_name6", "state": "up"}]
