"""An etcd whose members have namespaces of their own, on a bridge in their client's: what passes
between them and the client, and among them, can be swallowed without a FIN."""
from etcd_server import Etcd, NoAnswer
from waiting import wait_for

NETWORK = "10.241.0"


class EtcdApart(Etcd):
    def __init__(self, lab, members, client):
        self._client = client
        client.ip("link add name etcd type bridge", f"addr add {NETWORK}.254/24 dev etcd",
                  "link set etcd up")
        super().__init__(lab, members)

    def place(self, name):
        namespace = self.lab.namespace(name)
        address = f"{NETWORK}.{1 + int(name.removeprefix('etcd'))}"
        self._client.ip(f"link add name {name} type veth peer name eth0 netns {namespace.name}",
                        f"link set {name} master etcd up")
        namespace.ip("link set eth0 up", f"addr add {address}/24 dev eth0")
        return address, namespace

    @staticmethod
    def _swallow(member, port):
        member.namespace.nft(
            "table inet hole {\n"
            f"  chain in {{ type filter hook input priority 0; iifname eth0 tcp dport {port} drop; }}\n"
            f"  chain out {{ type filter hook output priority 0; oifname eth0 tcp sport {port} drop; }}\n"
            "}\n")

    def hide(self, member):
        """From its clients; a test that asks it does so within its namespace."""
        self._swallow(member, member.client_port)

    def cut_off(self, member):
        """From the other members; clients are answered."""
        self._swallow(member, f"!= {member.client_port}")

    def mend(self):
        for member in self.members:
            member.namespace.run("nft", "delete table inet hole", check=False)
        self.start()

    def leader(self):
        """The member that leads, by its own word and another's."""
        def found():
            for member in self.members:
                try:
                    status = member.ask("/maintenance/status", {}, timeout=1)
                except NoAnswer:
                    continue
                if status["leader"] == status["header"]["member_id"]:
                    return member
            return None
        return wait_for(found, 20, "a member leads", 0.1)

    def clients(self, member):
        """How many connections the client's namespace has to it."""
        done = self._client.run("ss", "-Htn", "state", "established", "dst",
                                f"{member.host}:{member.client_port}")
        return len(done.stdout.splitlines())
