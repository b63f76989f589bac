"""ICMP errors as a program sees them: who sent the error, and to which destination it belongs.

The kernel hands an error to a socket only if the packet quoted in it is one of the socket's own: what
arrives here has been translated back inside as well as outside.
"""
import collections
import select
import socket
import struct

IP_RECVERR, IPV6_RECVERR = 11, 25
IP_MTU_DISCOVER, IP_MTU, IPV6_MTU_DISCOVER, IPV6_MTU = 10, 14, 23, 24
PMTUDISC_DO = 2

# `offender` sent it; `target` is where the packet that it is about was sent to.
IcmpError = collections.namedtuple("IcmpError", "type code info offender target")


def is_v6(address):
    return ":" in address


def datagram_socket(namespace, address, ttl=None, dont_fragment=False):
    """A UDP socket of the address's family that tells its ICMP errors."""
    v6 = is_v6(address)
    sock = namespace.socket(socket.AF_INET6 if v6 else socket.AF_INET, socket.SOCK_DGRAM)
    level = socket.IPPROTO_IPV6 if v6 else socket.IPPROTO_IP
    sock.setsockopt(level, IPV6_RECVERR if v6 else IP_RECVERR, 1)
    if ttl is not None:
        sock.setsockopt(level, socket.IPV6_UNICAST_HOPS if v6 else socket.IP_TTL, ttl)
    if dont_fragment:
        sock.setsockopt(level, IPV6_MTU_DISCOVER if v6 else IP_MTU_DISCOVER, PMTUDISC_DO)
    return sock


def path_mtu(connected):
    """The path MTU that the kernel knows for a connected socket's destination."""
    if connected.family == socket.AF_INET6:
        return connected.getsockopt(socket.IPPROTO_IPV6, IPV6_MTU)
    return connected.getsockopt(socket.IPPROTO_IP, IP_MTU)


def wait_error(sock, timeout=3.0):
    """The next ICMP error of a socket, or None."""
    poll = select.poll()
    poll.register(sock, 0)  # POLLERR is always told
    if not poll.poll(timeout * 1000):
        return None
    _, ancillary, _, target = sock.recvmsg(4096, 512, socket.MSG_ERRQUEUE)
    for _, kind, data in ancillary:
        if kind in (IP_RECVERR, IPV6_RECVERR):
            _, _, icmp_type, code, _, info, _ = struct.unpack_from("=IBBBBII", data)
            return IcmpError(icmp_type, code, info, _address(data[16:]), target[0])
    return None


def _address(sockaddr):
    family = struct.unpack_from("=H", sockaddr)[0]
    if family == socket.AF_INET:
        return socket.inet_ntop(socket.AF_INET, sockaddr[4:8])
    if family == socket.AF_INET6:
        return socket.inet_ntop(socket.AF_INET6, sockaddr[8:24])
    return None
