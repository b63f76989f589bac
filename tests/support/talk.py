"""Traffic in namespaces: an echo server that tells the peer's address, and calls to it.

Sockets are made inside a namespace and used from the test process itself, so no helper program
has to be started, watched or cleaned up.
"""
import contextlib
import json
import socket
import threading



PORT = 7000


def _plain(address):
    return address[7:] if address.startswith("::ffff:") else address


class EchoServer:
    """TCP and UDP on one port, both families. Each TCP connection is greeted with who it is."""

    def __init__(self, namespace, name, port=PORT):
        self.name = name
        self._tcp = namespace.socket(socket.AF_INET6, socket.SOCK_STREAM)
        self._udp = namespace.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        self._open = []
        for sock in (self._tcp, self._udp):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            sock.bind(("::", port))
        self._tcp.listen(64)
        for work in (self._serve_tcp, self._serve_udp):
            threading.Thread(target=work, daemon=True).start()

    def _hello(self, peer, data=""):
        answer = {"server": self.name, "peer": _plain(peer[0]), "data": data}
        return (json.dumps(answer) + "\n").encode()

    def _serve_tcp(self):
        with contextlib.suppress(OSError):
            while True:
                connection, peer = self._tcp.accept()
                self._open.append(connection)
                threading.Thread(target=self._serve_one, args=(connection, peer),
                                 daemon=True).start()

    def _serve_one(self, connection, peer):
        with contextlib.suppress(OSError), connection:
            connection.sendall(self._hello(peer))
            while data := connection.recv(4096):
                connection.sendall(data)

    def _serve_udp(self):
        with contextlib.suppress(OSError):
            while True:
                data, peer = self._udp.recvfrom(4096)
                if peer is None:  # shut down by close()
                    return
                with contextlib.suppress(OSError):
                    self._udp.sendto(self._hello(peer, data.decode(errors="replace")), peer)

    def close(self):
        for sock in (self._tcp, self._udp, *self._open):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()


def _family(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


class TcpCall:
    """An open connection to an EchoServer."""

    def __init__(self, namespace, address, port=PORT, timeout=2.0):
        self.sock = namespace.socket(_family(address), socket.SOCK_STREAM)
        self.sock.settimeout(timeout)
        self.sock.connect((address, port))
        self._file = self.sock.makefile("rb")
        self.hello = json.loads(self._file.readline())
        self.server, self.peer = self.hello["server"], self.hello["peer"]

    def say(self, text="still there"):
        """Whether the server echoes; False where the connection is dead or silent."""
        try:
            self.sock.sendall(text.encode() + b"\n")
            return self._file.readline() == text.encode() + b"\n"
        except OSError:
            return False

    def close(self):
        self._file.close()
        self.sock.close()


class UdpCall:
    """A connected UDP socket: every question from the same port, one flow for conntrack."""

    def __init__(self, namespace, address, port=PORT, timeout=0.3):
        self.sock = namespace.socket(_family(address), socket.SOCK_DGRAM)
        self.sock.settimeout(timeout)
        self.sock.connect((address, port))
        self._serial = 0

    def ask(self, tries=3):
        """The server's answer as a dict, or None."""
        for _ in range(tries):
            self._serial += 1
            word = f"q{self._serial}"
            with contextlib.suppress(OSError):
                self.sock.send(word.encode())
                while True:
                    answer = json.loads(self.sock.recv(4096))
                    if answer["data"] == word:
                        return answer
        return None

    def close(self):
        self.sock.close()


def tcp(namespace, address, port=PORT, timeout=2.0):
    """One TCP call: {"server", "peer"}, or None where nobody answers."""
    try:
        call = TcpCall(namespace, address, port, timeout)
    except OSError:
        return None
    hello = call.hello
    call.close()
    return hello


def udp(namespace, address, port=PORT):
    call = UdpCall(namespace, address, port)
    try:
        return call.ask()
    finally:
        call.close()


def ping(namespace, address, count=1, interval=0.01, wait=1):
    """How many of `count` echo requests were answered."""
    done = namespace.run("ping", "-n", "-q", "-c", count, "-i", interval, "-W", wait, address,
                         check=False, timeout=60)
    for line in done.stdout.splitlines():
        if "received" in line:
            return int(line.split(",")[1].split()[0])
    return 0


__all__ = ["PORT", "EchoServer", "TcpCall", "UdpCall", "ping", "tcp", "udp"]
