"""Names of keys and what is read back from them."""
from networking_fipd import keys
import pytest

NAMES = keys.Keys("/fipd/v1")


@pytest.mark.parametrize("host, escaped", [
    ("compute1", "compute1"), ("a.b-c_d~e", "a.b-c_d~e"),
    ("rack 1/node \u00e9", "rack%201%2Fnode%20%C3%A9"), ("50%", "50%25"), ("..", "..")])
def test_host_names_are_escaped_as_documented_and_read_back(host, escaped):
    assert NAMES.binding(host, "f1") == f"/fipd/v1/host/{escaped}/fip/f1"
    assert NAMES.binding_of(NAMES.binding(host, "f1")) == (host, "f1")


@pytest.mark.parametrize("key", ["/fipd/v1/host/x", "/fipd/v1/host/x/fip/", "/fipd/v1/host//fip/f",
                                 "/fipd/v1/host/x/other/f", "/fipd/v1/host/x/fip/f/g"])
def test_other_keys_are_nobodys(key):
    assert NAMES.binding_of(key) is None


def test_status_keys():
    assert NAMES.status_of("/fipd/v1/status/a%2Fb/agent") == ("a/b", None)
    assert NAMES.status_of("/fipd/v1/status/a/fip/f1") == ("a", "f1")
    assert NAMES.status_of("/fipd/v1/status/a/fip/") is None
    assert NAMES.status_of("/fipd/v1/status/a") is None


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "7", "[" * 100000])
def test_what_is_no_object_is_nothing(text):
    assert keys.decoded(text) is None


def test_the_end_of_a_prefix_is_above_all_its_keys_and_below_the_next():
    assert "/host/a/" < "/host/a/\U0010ffff" < keys.after("/host/a/\U0010ffff"[:8]) <= "/host/a0"
