"""Who may include whom: bgp/ and nat/ stand on daemon/base/ alone, daemon/base/ on nothing of ours."""
import re

import pytest

from sources import cpp_files, read

_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]+["<]([^">]+)[">]', re.M)
# Folder -> what of ours it may include. What is not here may include anything.
ALLOWED = {
    "daemon/base/": ("daemon/base/",),
    "bgp/": ("bgp/", "daemon/base/"),
    "nat/": ("nat/", "daemon/base/"),
}
OURS = ("bgp/", "nat/", "daemon/", "tests/")
# Pure logic: no file may reach for the system but through what it is given.
PURE = ("daemon/state/derive", "daemon/state/bindings", "daemon/state/document",
        "daemon/state/binding.", "daemon/reconcile/plan", "bgp/bird_reply")
IO = re.compile(r"^(sys/socket|sys/stat|sys/epoll|sys/inotify|unistd|fcntl|sqlite3|libmnl/|"
                r"nftables/|fstream|boost/asio/(?!ip/address|ip/network)|boost/beast|spdlog/)")


def wrong_includes(name, text):
    found = []
    for include in _INCLUDE.findall(text):
        for folder, allowed in ALLOWED.items():
            if name.startswith(folder) and include.startswith(OURS) \
                    and not include.startswith(allowed):
                found.append(f"{name} includes {include}: {folder} may include only "
                             f"{' and '.join(allowed)}")
        if name.startswith(PURE) and IO.match(include):
            found.append(f"{name} includes {include}: it is pure logic, without input or output")
    return found


def test_every_file_includes_only_what_its_layer_may():
    found = [line for name in cpp_files() for line in wrong_includes(name, read(name))]
    assert not found, "\n" + "\n".join(found)


@pytest.mark.parametrize("name, include", [
    ("bgp/route_table.h", "daemon/state/binding.h"), ("bgp/x.cc", "nat/nat_table.h"),
    ("nat/x.cc", "bgp/network.h"), ("daemon/base/address.h", "daemon/config.h"),
    ("daemon/state/derive.cc", "sys/socket.h"), ("daemon/state/derive.cc", "boost/asio/post.hpp")])
def test_the_lint_finds(name, include):
    assert wrong_includes(name, f'#include "{include}"\n')


@pytest.mark.parametrize("name, include", [
    ("bgp/x.cc", "daemon/base/address.h"), ("daemon/x.cc", "nat/nat_table.h"),
    ("nat/x.cc", "sys/socket.h"), ("daemon/state/derive.cc", "boost/asio/ip/address.hpp")])
def test_the_lint_lets_pass(name, include):
    assert not wrong_includes(name, f"#include <{include}>\n")
