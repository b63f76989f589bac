"""A compute host whose fipd reads a real etcd beside it, by the source "etcd" or "calico"; the test is
in the controller's place."""
import kernel
from etcd_server import Etcd
from topology import Topology
from waiting import wait_for

HOST = "/fipd/v1/host/compute1/fip/"
READY = "/fipd/v1/ready"
SAVED = 2  # seconds; fipd writes its snapshot every half second


class EtcdCloud:
    SOURCE = "etcd"

    def __init__(self, make_etcd=None, **settings):
        self.topology = Topology(with_fipd=False)
        self.lab = self.topology.lab
        self.host = self.topology.host.namespace
        self.etcd = make_etcd(self) if make_etcd else Etcd(self.lab, namespace=self.host)
        self.fipd = self.topology.fipd
        self.fipd.settings["etcd"] = {"timeout": "1s", "probe": "300ms"}
        source = self.fipd.settings.setdefault(self.SOURCE, {})
        source.update({"endpoints": self.etcd.endpoints, **settings})
        self.fipd.write_config()

    def start(self):
        self.fipd.start()
        return self

    def served(self):
        """{floating: fixed} as the kernel translates."""
        return dict(kernel.translations(self.host))

    def wait_served(self, wanted, timeout=15):
        wait_for(lambda: self.served() == wanted, timeout,
                 lambda: f"{wanted} served, not {self.served()}")

    def source(self):
        sources = self.fipd.ctl("status", "--json").json["sources"]
        return next(each for each in sources if each["name"] == self.SOURCE)

    def wait_source(self, what, test, timeout=15):
        wait_for(lambda: test(self.source()), timeout, lambda: f"{what}: {self.source()}")

    def wait_well(self, timeout=15):
        self.wait_source("etcd is read", lambda each: each["complete"] and not each["problems"],
                         timeout)

    def report(self):
        return self.topology.report()

    def close(self):
        self.topology.close()


def binding(number, **more):
    return {"floating": f"172.16.1.{number}", "fixed": "10.65.0.13", "id": f"id{number}", **more}


class FipdCloud(EtcdCloud):
    def __init__(self, make_etcd=None):
        super().__init__(make_etcd)
        self.fipd.settings["route"] = {"settle": "2s"}
        self.fipd.write_config()

    def start(self, ready=True):
        if ready:
            self.say_ready()
        return super().start()

    def say_ready(self):
        self.etcd.put(READY, {"by": "the test"})

    def put(self, number, **more):
        return self.etcd.put(f"{HOST}id{number}", binding(number, **more))

    def delete(self, number):
        return self.etcd.delete(f"{HOST}id{number}")

    def clear(self):
        self.etcd.delete(HOST, prefix=True)
        self.wait_numbers()

    def numbers(self):
        """Of the floating IPs that the kernel translates."""
        return {int(floating.rsplit(".", 1)[1]) for floating in self.served()}

    def wait_numbers(self, *numbers, timeout=15):
        self.wait_served({f"172.16.1.{number}": "10.65.0.13" for number in numbers}, timeout)
