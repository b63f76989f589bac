"""A bad configuration is refused before anything is touched, with the place and the remedy."""
import subprocess

import pytest

import kernel
import talk
from daemon import FIPD
from waiting import wait_for

A = "172.16.1.3"

BAD = {
    "an_unknown_key": ('[nat]\ntabel = "fipd"\n', "tabel"),
    "an_unknown_section": ("[nta]\n", "nta"),
    "a_wrong_type": ("[route]\ntable = \"many\"\n", "table"),
    "a_bad_prefix": ('[pools]\nallowed = ["172.16.1.3/24"]\n', "172.16.1.0/24"),
    "contradicting_metrics": ("[route]\nmetric = 100\npreferred_metric = 200\n", "preferred_metric"),
    "a_number_out_of_range": ("[route]\nprotocol = 300\n", "protocol"),
    "broken_toml": ("[route\n", ""),
}


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "fipd.toml"

    def write(text):
        path.write_text(text)
        return str(path)

    return write


def run_fipd(path, *words):
    return subprocess.run([FIPD, "--config", path, *words], text=True, capture_output=True,
                          timeout=10)


@pytest.mark.parametrize("what", BAD)
def test_check_refuses_and_tells_file_line_and_remedy(config, what):
    text, word = BAD[what]
    path = config(text)
    done = run_fipd(path, "--check")
    assert done.returncode != 0
    assert f"{path}:" in done.stderr + done.stdout
    assert word in done.stderr + done.stdout
    line = (done.stderr + done.stdout).split(f"{path}:")[1].split(":")[0]
    assert line.isdigit() and 1 <= int(line) <= 3


def test_check_accepts_a_good_configuration_and_an_empty_one(topology, config):
    code, text = topology.fipd.check()
    assert code == 0, text
    assert run_fipd(config(""), "--check").returncode == 0


def test_check_refuses_a_file_that_is_not_there(config):
    done = run_fipd(config("") + ".gone", "--check")
    assert done.returncode != 0 and ".gone" in done.stderr + done.stdout


def test_check_reads_conf_d_too(config, tmp_path):
    path = config("")
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d" / "10-site.toml").write_text("[nat]\ntabel = \"fipd\"\n")
    done = run_fipd(path, "--check")
    assert done.returncode != 0 and "10-site.toml:2" in done.stderr + done.stdout


def test_a_start_with_a_bad_configuration_touches_nothing(topology):
    fipd, host = topology.fipd, topology.host.namespace
    fipd.announce(A, topology.instance.fixed)
    fipd.stop()
    watch = kernel.WriteWatch(topology.lab, host)
    fipd.write_config("[unheard_of]\nkey = 1\n")
    try:
        fipd.start(ready=False)
        assert fipd.process.popen.wait(5) != 0
        assert "unheard_of" in fipd.log()
        assert watch.stop() == []
        assert talk.tcp(topology.client, A)["server"] == "instance13"
    finally:
        fipd.write_config()


@pytest.fixture
def restored(topology):
    allowed = topology.fipd.settings["pools"]["allowed"]
    yield topology
    topology.fipd.settings["pools"]["allowed"] = allowed
    topology.fipd.settings["control"]["socket"] = topology.fipd.socket
    topology.fipd.write_config()
    assert topology.fipd.ctl("reload").code == 0


@pytest.mark.parametrize("way", ["fipctl_reload", "sighup"])
def test_a_good_new_configuration_is_taken_over_live(restored, way):
    fipd = restored.fipd
    assert fipd.ctl("add", "198.18.0.1", "10.65.0.13").code == 6
    fipd.settings["pools"]["allowed"] = [*fipd.settings["pools"]["allowed"], "198.18.0.0/24"]
    fipd.write_config()
    if way == "sighup":
        fipd.hangup()
    else:
        assert fipd.ctl("reload").code == 0
    wait_for(lambda: fipd.ctl("add", "198.18.0.1", "10.65.0.13").code == 0, 3, "the new pool counts")
    fipd.remove("198.18.0.1")


@pytest.mark.parametrize("way", ["fipctl_reload", "sighup"])
def test_a_bad_new_configuration_leaves_the_old_one_in_force(restored, way):
    fipd = restored.fipd
    fipd.announce(A, restored.instance.fixed)
    since = len(fipd.log())
    fipd.settings["pools"]["allowed"] = ["172.16.1.3/24"]
    fipd.write_config()
    if way == "sighup":
        fipd.hangup()
    else:
        answer = fipd.ctl("reload")
        assert answer.code == 6 and "fipd.toml" in answer.text, answer
    fipd.wait_log("fipd.toml", since=since)
    assert fipd.process.alive()
    fipd.wait_state(A, "announced")
    assert fipd.ctl("add", "172.16.1.9", "10.65.0.13").code == 0


def test_a_reload_says_what_needs_a_restart(restored):
    fipd = restored.fipd
    fipd.settings["control"]["socket"] = fipd.socket + ".new"
    fipd.write_config()
    answer = fipd.ctl("reload")
    assert answer.code == 0 and "control.socket" in answer.text, answer


def test_a_reload_that_shrinks_the_pools_takes_no_binding_down_silently(restored):
    fipd = restored.fipd
    fipd.announce(A, restored.instance.fixed)
    fipd.settings["pools"]["allowed"] = ["172.17.0.0/16"]
    fipd.write_config()
    assert fipd.ctl("reload").code == 0
    row = fipd.wait_state(A, "refused")
    assert "pool" in row["reason"]


def test_a_changed_snat_mode_is_taken_over_in_the_rules(topology):
    fipd = topology.fipd
    fipd.announce(A, topology.instance.fixed)
    fipd.settings["nat"]["snat"] = "hairpin"
    fipd.write_config()
    try:
        assert fipd.ctl("reload").code == 0
        wait_for(lambda: talk.tcp(topology.instance.namespace, "198.51.100.2")["peer"]
                 == topology.instance.fixed, 5, "outgoing keeps the fixed IP")
        wait_for(lambda: talk.tcp(topology.instance.namespace, A)["peer"] == A, 5,
                 "but not in a call of its own floating IP")
    finally:
        del fipd.settings["nat"]["snat"]
        fipd.write_config()
        fipd.ctl("reload")
