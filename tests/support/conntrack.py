"""The connection tracking table of a namespace: who is in it, and filling it quickly.

Entries are made over ctnetlink, thousands in one send: 100,000 take well below a second.
"""
import itertools
import re
import socket
import struct

NETLINK_NETFILTER = 12
CT_NEW = (1 << 8) | 0  # NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_NEW
FLAGS_CREATE = 0x1 | 0x400  # NLM_F_REQUEST | NLM_F_CREATE
NESTED = 0x8000
TUPLE_ORIG, TUPLE_REPLY, STATUS, TIMEOUT = 1, 2, 3, 7
SEEN_REPLY_ASSURED_CONFIRMED = 0x2 | 0x4 | 0x8
BATCH = 2000


def _attribute(kind, value):
    return struct.pack("=HH", 4 + len(value), kind) + value + b"\0" * (-len(value) % 4)


def _tuple(kind, source, destination, sport, dport):
    addresses = _attribute(1, source) + _attribute(2, destination)
    protocol = (_attribute(1, bytes([socket.IPPROTO_UDP])) + _attribute(2, struct.pack(">H", sport))
                + _attribute(3, struct.pack(">H", dport)))
    return _attribute(kind | NESTED, _attribute(1 | NESTED, addresses)
                      + _attribute(2 | NESTED, protocol))


def _entry(source, sport, destination, answering):
    """An assured UDP flow that lasts an hour; another answers than was asked where it is translated."""
    body = (struct.pack("=BBH", socket.AF_INET, 0, 0)
            + _tuple(TUPLE_ORIG, source, destination, sport, 9)
            + _tuple(TUPLE_REPLY, answering, source, 9, sport)
            + _attribute(STATUS, struct.pack(">I", SEEN_REPLY_ASSURED_CONFIRMED))
            + _attribute(TIMEOUT, struct.pack(">I", 3600)))
    return struct.pack("=IHHII", 16 + len(body), CT_NEW, FLAGS_CREATE, 1, 0) + body


def _entries(destination, answering):
    """One entry after the other, from 100.64.0.0/10: its bytes with two places filled in."""
    source, port = b"\xaa\xbb\xcc\xdd", 0xeeff
    parts = []
    for piece in _entry(source, port, destination, answering).split(source):
        parts.append(piece.split(struct.pack(">H", port)))
    (start,), (a, b), (c, end) = parts
    for address in range(0x64400000, 0x64800000):
        source = struct.pack(">I", address)
        head, middle = start + source + a, b + source + c
        for number in range(1024, 51024):
            port = number.to_bytes(2, "big")
            yield head + port + middle + port + end


def fill(namespace, count, destination="192.0.2.9", answering=None):
    """Makes `count` entries of others. The kernel answers only what it refused."""
    to = socket.inet_aton(destination)
    by = socket.inet_aton(answering or destination)
    sock = namespace.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER)
    with sock:
        sock.bind((0, 0))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 << 20)
        sock.setblocking(False)
        made = _entries(to, by)
        while count > 0:
            sock.send(b"".join(itertools.islice(made, min(count, BATCH))))
            count -= BATCH
            _fail_on_refusal(sock)


def _fail_on_refusal(sock):
    try:
        answer = sock.recv(65536)
    except BlockingIOError:
        return
    error = struct.unpack_from("=i", answer, 16)[0]
    assert error == 0, f"conntrack entry refused: errno {-error}"


def count(namespace):
    return int(namespace.run("conntrack", "-C").stdout)


def most(namespace):
    """The most entries that the kernel takes in a namespace."""
    return int(namespace.run("cat", "/proc/sys/net/netfilter/nf_conntrack_max").stdout)


def flush(namespace):
    namespace.run("conntrack", "-F", check=False)


def entries(namespace):
    """Lines of `conntrack -L`, both families."""
    lines = []
    for family in ("ipv4", "ipv6"):
        done = namespace.run("conntrack", "-L", "-f", family, check=False)
        lines += done.stdout.splitlines()
    return lines


def translated(namespace, floating):
    """Entries whose destination was translated from `floating`, or whose source was to it."""
    found = []
    for line in entries(namespace):
        ends = re.findall(r"(?:src|dst)=(\S+)", line)
        if len(ends) == 4 and ((ends[1] == floating and ends[2] != floating)
                               or (ends[3] == floating and ends[0] != floating)):
            found.append(line)
    return found
