"""fipctl against the real server: exit codes, words and tables."""
import json
import os
import pathlib
import re
import select
import signal
import subprocess
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import fixture  # noqa: E402

FIPCTL = os.environ["FIPCTL"]


@pytest.fixture(scope="module")
def server():
    with fixture.running() as started:
        yield started


def fipctl(server, *arguments, **options):
    return subprocess.run([FIPCTL, *arguments], capture_output=True, text=True, timeout=60,
                          env={**os.environ, "FIPD_SOCKET": server.socket}, **options)


def code(server, *arguments, **options):
    return fipctl(server, *arguments, **options).returncode


def test_add_show_ls_and_rm(server):
    assert fipctl(server, "add", "172.16.1.3", "10.65.0.13", "--interface", "tap1").stdout == \
        "172.16.1.3 -> 10.65.0.13 via tap1: announced\n"
    assert "uplink1, uplink2" in fipctl(server, "show", "172.16.1.3").stdout
    head, row = fipctl(server, "ls").stdout.splitlines()
    assert head.split() == ["FLOATING", "FIXED", "INTERFACE", "STATE", "ANNOUNCED", "SOURCE", "REASON"]
    assert row.split() == ["172.16.1.3", "10.65.0.13", "tap1", "announced", "2/2", "api"]
    assert code(server, "rm", "172.16.1.3") == 0
    assert fipctl(server, "ls", "--quiet").stdout == ""


def test_what_a_source_cannot_take_has_a_row_under_its_address_or_its_own_name():
    with fixture.running("--refused") as server:
        assert code(server, "add", "172.16.1.3", "10.65.0.13") == 0
        rows = [line.split(maxsplit=6) for line in fipctl(server, "ls").stdout.splitlines()[1:]]
        assert [(row[0], row[1], row[3], row[5]) for row in rows] == [
            ("172.16.1.3", "10.65.0.13", "announced", "api"), ("172.16.1.3", "-", "refused", "etcd"),
            ("172.16.1.4", "-", "refused", "etcd"), ("(8ab8)", "-", "refused", "etcd"),
            ("(a.toml)", "-", "refused", "files")]
        assert rows[2][6] == "the role 'witness' is not known"
        bad = json.loads(fipctl(server, "ls", "--state", "refused", "--json").stdout)["floating_ips"]
        assert [(row.get("floating"), row["source"]) for row in bad] == [
            ("172.16.1.3", "etcd:51cd"), ("172.16.1.4", "etcd:77aa"), (None, "etcd:8ab8"),
            (None, "files:/etc/fipd/floating-ips.d/a.toml")]
        assert fipctl(server, "ls", "--quiet", "--state", "refused").stdout.split() == [
            "172.16.1.3", "172.16.1.4"]
        assert "'fixed' is missing" in fipctl(server, "show", "172.16.1.3").stdout
        assert "not known" in fipctl(server, "show", "172.16.1.4").stdout
        assert code(server, "rm", "172.16.1.4") == 3


def test_peers_has_a_row_a_session_and_no_number_where_none_can_be(server):
    head, uplink, other = fipctl(server, "peers").stdout.splitlines()
    assert head.split() == ["SESSION", "NEIGHBOR", "AS", "STATE", "SINCE", "EXPORTED", "LAST", "ERROR"]
    assert uplink.split() == ["uplink1", "10.240.0.1", "64513", "Established", "07:50:45.123", "0"]
    assert other.split()[:3] == ["elsewhere", "-", "-"]
    assert other.endswith("-         Socket: Connection refused")
    both = json.loads(fipctl(server, "peers", "--json").stdout)["peers"]
    assert [peer["carries"] for peer in both] == [True, False]


def test_show_says_who_else_announces_it(server):
    fipctl(server, "add", "--wait=translated", "192.0.2.1", "10.0.0.7")
    assert "10.240.0.7" in fipctl(server, "show", "192.0.2.1").stdout
    assert code(server, "rm", "192.0.2.1") == 0


def test_traffic_in_show_and_in_the_wide_listing(server):
    assert code(server, "add", "172.16.1.8", "10.0.0.8") == 0
    assert re.search(r"^traffic in +7 packets, [0-9.]+ k?B$", fipctl(server, "show", "172.16.1.8").stdout,
                     re.MULTILINE)
    head, row = fipctl(server, "ls", "--wide").stdout.splitlines()
    assert head.split()[9:12] == ["LIMITS", "IN", "OUT"] and row.split()[-2:] == ["(0", "B)"]
    assert "IN" not in fipctl(server, "ls").stdout.splitlines()[0].split()
    assert code(server, "rm", "172.16.1.8") == 0


def test_warnings_leave_the_status_in_order(server):
    status = fipctl(server, "status")
    assert status.returncode == 0
    assert re.search(r"^health +in order$", status.stdout, re.MULTILINE)
    assert re.search(r"^warning +chain filter forward", status.stdout, re.MULTILINE)
    assert re.search(r"^guard +12 untranslated packets dropped$", status.stdout, re.MULTILINE)
    assert re.search(r"^traffic +7 packets, 10.5 kB in, 1 packet, 0 B out, of ", status.stdout,
                     re.MULTILINE)


def test_every_exit_code(server):
    assert code(server, "add", "172.16.1.5") == 2
    assert code(server, "frobnicate") == 2
    assert code(server, "add", "172.16.1.5", "10.0.0.5", "--wait=soon") == 2
    assert code(server, "rm", "172.16.1.77") == 3
    assert code(server, "show", "172.16.1.77") == 3
    assert code(server, "add", "172.16.1.5", "10.0.0.5") == 0
    conflict = fipctl(server, "add", "172.16.1.5", "10.0.0.6")
    assert conflict.returncode == 5 and "--replace" in conflict.stderr
    assert code(server, "add", "172.16.1.5", "10.0.0.6", "--replace") == 0
    assert code(server, "add", "300.1.1.1", "10.0.0.6") == 6
    assert code(server, "add", "127.0.0.1", "10.0.0.6") == 6
    assert code(server, "rm", "172.16.1.5", "--timeout", "soon", "--wait") == 6
    assert code(server, "add", "192.0.2.1", "10.0.0.7", "--wait", "--timeout", "10ms") == 8
    assert code(server, "add", "--wait=translated", "192.0.2.1", "10.0.0.7") == 0
    assert code(server, "rm", "192.0.2.1", "172.16.1.5") == 0
    with fixture.running("--degraded") as degraded:
        status = fipctl(degraded, "status")
        assert status.returncode == 9 and "BIRD does not answer" in status.stdout
    assert code(server, "status") == 0


def test_add_takes_the_words_that_steer(server):
    done = fipctl(server, "add", "172.16.1.7", "10.0.0.7", "--preference", "150", "--color", "7",
                  "--shared", "--check", "tcp/443", "--json")
    row = json.loads(done.stdout)
    assert (row["preference"], row["color"], row["shared"], row["check"]) == \
        (150, 7, True, "tcp/443")
    for wrong in (["--preference", "201"], ["--color", "0"], ["--check", "udp/1"]):
        refused = fipctl(server, "add", "172.16.1.7", "10.0.0.7", *wrong)
        assert refused.returncode == 6 and wrong[0] in refused.stderr, refused
    assert code(server, "rm", "172.16.1.7") == 0


def test_drain_waits_for_the_peers_and_says_what_is_open(server):
    assert code(server, "add", "172.16.1.6", "10.0.0.6") == 0
    done = fipctl(server, "drain", "172.16.1.6")
    assert (done.returncode, done.stdout) == (0, "1 floating IP drained (1 by name)\n")
    done = fipctl(server, "drain", "--all", "--wait")
    assert done.returncode == 0, done.stderr
    assert done.stdout == ("the host is drained: 1 floating IP drained; every peer was told; "
                           "17 connections open, fipctl monitor follows them\n")
    assert code(server, "undrain", "172.16.1.6") == 5
    assert fipctl(server, "undrain", "--all").stdout == "0 floating IPs drained\n"
    late = fipctl(server, "drain", "172.16.1.6", "--wait", "--timeout", "1ms")
    assert late.returncode == 8 and "uplink1 has 1 as before" in late.stderr
    assert code(server, "drain") == 2
    assert code(server, "drain", "172.16.1.6", "--all") == 2
    assert code(server, "drain", "172.16.1.77") == 3
    assert code(server, "undrain", "172.16.1.6") == 0
    assert code(server, "rm", "172.16.1.6") == 0


def test_an_unreachable_daemon_is_named_with_its_remedy(tmp_path):
    done = subprocess.run([FIPCTL, "--socket", str(tmp_path / "none"), "ls"], capture_output=True,
                          text=True)
    assert done.returncode == 7 and done.stdout == ""
    assert re.fullmatch(r"fipctl: cannot reach fipd at .*/none: No such file or directory; is the "
                        r"service running\?.*\n", done.stderr)


def test_a_socket_that_keeps_us_out_is_not_permitted(server):
    done = fipctl(server, "ls", preexec_fn=lambda: (os.setgroups([]), os.setgid(65534),
                                                     os.setuid(65534)))
    assert done.returncode == 4 and "group fipd" in done.stderr
    with fixture.running("--read-by-all") as open_one:
        drop = {"user": 65534, "group": 65534, "extra_groups": []}
        assert code(open_one, "ls", **drop) == 0
        assert code(open_one, "reload", **drop) == 4


def test_apply_takes_toml_and_json_by_their_content(server, tmp_path):
    toml = tmp_path / "a"
    toml.write_text('[[floating_ip]]\nfloating = "172.16.2.1"\nfixed = "10.0.0.1"\n')
    assert fipctl(server, "apply", "-f", str(toml)).stdout == "applied 1 floating IP\n"
    text = ' {"floating_ips": [{"floating": "172.16.2.2", "fixed": "10.0.0.2"}]}'
    assert json.loads(fipctl(server, "apply", "-f", "-", "--json", input=text).stdout) == \
        {"put": 1, "removed": 0}
    assert code(server, "rm", "172.16.2.1", "172.16.2.2") == 0


def test_apply_names_file_and_line_of_an_error(server, tmp_path):
    bad = tmp_path / "bad.toml"
    bad.write_text('[[floating_ip]]\nfloating = "172.16.2.1"\nfixed = "10.0.0.x"\n')
    done = fipctl(server, "apply", "-f", str(bad))
    assert done.returncode == 6 and f"{bad}:3:" in done.stderr
    bad.write_text('{"floating_ips": [\n  {]}')
    done = fipctl(server, "apply", "-f", str(bad))
    assert done.returncode == 6 and f"{bad}:2:" in done.stderr
    assert code(server, "apply", "-f", str(tmp_path / "missing")) == 6


def test_apply_of_50000_is_one_request_and_ls_gives_them_back():
    rows = [{"floating": f"10.{i >> 16}.{i >> 8 & 255}.{i & 255}", "fixed": "11.0.0.1"}
            for i in range(50000)]
    with fixture.running() as server:
        done = fipctl(server, "apply", "-f", "-", input=json.dumps({"floating_ips": rows}))
        assert done.stdout == "applied 50000 floating IPs\n", done.stderr
        listing = json.loads(fipctl(server, "ls", "--json").stdout)["floating_ips"]
        assert [row["floating"] for row in listing] == [row["floating"] for row in rows]


def test_json_goes_with_every_verb(server):
    for words in (["add", "172.16.3.1", "10.0.0.1"], ["show", "172.16.3.1"], ["ls"], ["status"],
                  ["reload"], ["accept"], ["rm", "172.16.3.1"]):
        json.loads(fipctl(server, *words, "--json").stdout)
        assert code(server, "--json", *words) in (0, 3)
        fipctl(server, "add", "172.16.3.1", "10.0.0.1")


def test_monitor_prints_a_line_an_event_and_ends_with_fipd():
    with fixture.running() as server:
        watcher = subprocess.Popen([FIPCTL, "--socket", server.socket, "monitor"],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        while not select.select([watcher.stdout], [], [], 0.1)[0]:
            fipctl(server, "add", "2001:db8::1", "fd00::1")
        assert "bound 2001:db8::1 -> fd00::1" in watcher.stdout.readline()
    _, words = watcher.communicate(timeout=10)
    assert watcher.returncode == 7 and words


def test_monitor_ends_on_control_c(server):
    watcher = subprocess.Popen([FIPCTL, "--socket", server.socket, "monitor"])
    watcher.send_signal(signal.SIGINT)
    assert watcher.wait(timeout=10) == -signal.SIGINT


def test_no_color_off_a_terminal_and_color_on_one(server):
    fipctl(server, "add", "172.16.4.1", "10.0.0.1")
    assert "\x1b" not in fipctl(server, "ls").stdout

    def on_terminal(**environment):
        done = subprocess.run(["script", "-qec", f"{FIPCTL} --socket {server.socket} ls", "/dev/null"],
                              capture_output=True, text=True, timeout=30, stdin=subprocess.DEVNULL,
                              env={"PATH": os.environ["PATH"], "TERM": "xterm", **environment})
        return done.stdout

    assert "\x1b[32mannounced" in on_terminal()
    assert "\x1b" not in on_terminal(NO_COLOR="1")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_a_script_that_parses(server, shell, tmp_path):
    script = fipctl(server, "completion", shell).stdout
    assert "monitor" in script
    if shell == "bash":
        assert subprocess.run(["bash", "-n"], input=script, text=True).returncode == 0


def test_bash_completes_verbs(server):
    script = fipctl(server, "completion", "bash").stdout
    script += "COMP_WORDS=(fipctl a); COMP_CWORD=1; _fipctl; echo ${COMPREPLY[@]}"
    done = subprocess.run(["bash"], input=script, capture_output=True, text=True)
    assert done.stdout.split() == ["add", "apply", "accept"], done.stderr


def test_forwards_and_limits_in_place_of_a_fixed_ip(server):
    added = fipctl(server, "add", "--limit", "in_bits=100M", "172.16.5.1", "--forward",
                   "tcp/443=10.65.0.13:8443", "--forward=udp/5000-5010=10.65.0.14:6000-6010",
                   "--limit", "connections=1k")
    assert added.stdout == "172.16.5.1 -> tcp/443=10.65.0.13:8443 and 1 more via tap0: announced\n"
    shown = fipctl(server, "show", "172.16.5.1").stdout
    assert re.findall(r"^forward +(.*)$", shown, re.MULTILINE) == [
        "tcp/443=10.65.0.13:8443", "udp/5000-5010=10.65.0.14:6000-6010"]
    assert re.search(r"^limits +in 100 Mbit/s, 1000 connections$", shown, re.MULTILINE)
    assert "fixed IP" not in shown
    assert "tcp/443=10.65.0.13:8443 and 1 more" in fipctl(server, "ls").stdout
    assert "in 100 Mbit/s, 1000 connections" in fipctl(server, "ls", "--wide").stdout
    again = ["add", "172.16.5.1", "--forward", "tcp/443=10.65.0.13:8443"]
    assert code(server, *again) == 5
    assert code(server, *again, "--replace") == 0
    assert code(server, "rm", "172.16.5.1") == 0


def test_words_that_make_no_binding_are_told(server):
    assert code(server, "add", "172.16.5.1") == 2
    assert code(server, "add", "172.16.5.1", "10.0.0.1", "--forward", "tcp/1=10.0.0.1:1") == 2
    for words, said in ((["10.0.0.1", "--limit", "in_bits"], "write KEY=VALUE"),
                        (["10.0.0.1", "--limit", "in_bit=5M"], "did you mean 'in_bits'"),
                        (["10.0.0.1", "--limit", "in_bits=5 M"], "write one like"),
                        (["10.0.0.1", "--limit", "in_bits=20000000T"], "write one like"),
                        (["10.0.0.1", "--limit", "out_burst=1M"], "without out_bits"),
                        (["--forward", "tcp/443"], "is not a forward"),
                        (["--forward", "tcp/1=10.0.0.1:1", "--forward", "tcp/1=10.0.0.2:1"],
                         "forwarded twice")):
        done = fipctl(server, "add", "172.16.5.1", *words)
        assert done.returncode == 6 and said in done.stderr, done.stderr


def test_one_forward_changes_without_naming_the_others(server):
    assert code(server, "forward", "172.16.5.2", "add", "tcp/1=10.0.0.1:1") == 3
    assert code(server, "add", "172.16.5.2", "--forward", "tcp/1=10.0.0.1:1") == 0
    assert fipctl(server, "forward", "172.16.5.2", "add", "tcp/2=10.0.0.1:2",
                  "tcp/3=10.0.0.2:3").stdout.endswith("and 2 more via tap0: announced\n")
    assert code(server, "forward", "172.16.5.2", "add", "tcp/2=10.0.0.9:2") == 5
    assert code(server, "forward", "172.16.5.2", "add", "tcp/2=10.0.0.9:2", "--replace") == 0
    assert code(server, "forward", "172.16.5.2", "rm", "tcp/2=10.0.0.1:2") == 5
    assert code(server, "forward", "172.16.5.2", "rm", "tcp/2", "tcp/3") == 0
    assert code(server, "forward", "172.16.5.2", "rm", "tcp/7") == 3
    last = fipctl(server, "forward", "172.16.5.2", "rm", "tcp/1")
    assert last.returncode == 6 and "remove the floating IP" in last.stderr
    assert json.loads(fipctl(server, "show", "172.16.5.2", "--json").stdout)["forwards"] == [
        "tcp/1=10.0.0.1:1"]
    assert code(server, "rm", "172.16.5.2") == 0


def test_a_dry_run_tells_and_changes_nothing(server, tmp_path):
    told = fipctl(server, "add", "172.16.6.1", "10.0.0.1", "--dry-run")
    assert told.stdout == ("nft add element inet fipd fixed_by_floating { 172.16.6.1 : 10.0.0.1 }\n"
                           "ip route add 172.16.6.1 dev tap0 table 172 proto 172 metric 1024\n")
    assert code(server, "show", "172.16.6.1") == 3
    document = tmp_path / "a.toml"
    document.write_text('[[floating_ip]]\nfloating = "172.16.6.1"\nfixed = "10.0.0.1"\n')
    assert fipctl(server, "apply", "-f", str(document), "--dry-run").stdout == told.stdout
    assert json.loads(fipctl(server, "apply", "-f", str(document), "--dry-run", "--json").stdout)["dry_run"]
    assert code(server, "show", "172.16.6.1") == 3
    assert code(server, "add", "172.16.6.1", "10.0.0.1") == 0
    removal = fipctl(server, "rm", "172.16.6.1", "--dry-run").stdout.splitlines()
    assert removal[0].startswith("# 172.16.6.1 stays translated")
    assert removal[-2:] == ["# later, when no peer has the route any more:",
                            "nft delete element inet fipd fixed_by_floating { 172.16.6.1 }"]
    assert code(server, "add", "172.16.6.1", "10.0.0.2", "--dry-run") == 5
    assert code(server, "add", "172.16.6.1", "10.0.0.1", "--dry-run", "--wait") == 2
    assert code(server, "rm", "172.16.6.1", "172.16.6.99", "--dry-run") == 3
    assert code(server, "rm", "172.16.6.1") == 0
