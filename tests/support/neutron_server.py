"""A real neutron-server for the tests: noauth, SQLite, ML2 with neutron_driver, our plugin.

Needs no keystone, message bus or Nova. The plugin comes from the source tree, its entry points
from its setup.cfg. Named so because a module "neutron" here would hide Neutron itself.
"""
import configparser
import contextlib
import http.client
import json
import os
import shutil
import signal
import time

from etcd_server import free_port
from namespaces import Failed, run
from waiting import wait_for

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.path.join(os.path.dirname(os.path.dirname(HERE)), "neutron")
PYTHON = "/usr/bin/python3"
MAKE_TABLES = """
import sqlalchemy, sys
from neutron.db.migration.models import head
engine = sqlalchemy.create_engine("sqlite:///" + sys.argv[1])
head.get_metadata().create_all(engine)
engine.execute("PRAGMA journal_mode=WAL")
"""


# How Neutron names the error that says of a repeated request that it is done already.
ALREADY = {"DELETE": "NotFound", "PUT": "AlreadyActive"}


class Refused(AssertionError):
    def __init__(self, status, text):
        super().__init__(f"Neutron answered {status}: {text}")
        self.status = status


def environment(lab):
    """With the plugin and its entry points on the path."""
    return {**os.environ, "PYTHONPATH": f"{SOURCE}:{_site(lab)}:{HERE}", "LC_ALL": "C.UTF-8",
            "PYTHONDONTWRITEBYTECODE": "1"}


def _site(lab):
    """A folder with what `pip install` would write beside the package."""
    folder = lab.file("site")
    info = os.path.join(folder, "networking_fipd-1.0.0.dist-info")
    if not os.path.isdir(info):
        setup = configparser.ConfigParser()
        setup.read(os.path.join(SOURCE, "setup.cfg"))
        groups = dict(setup["options.entry_points"])
        groups["neutron.ml2.mechanism_drivers"] = "\nfipd_test = neutron_driver:Driver"
        os.makedirs(info)
        _write(os.path.join(info, "METADATA"), "Name: networking-fipd\nVersion: 1.0.0\n")
        _write(os.path.join(info, "entry_points.txt"), "\n".join(
            f"[{group}]{lines}\n" for group, lines in groups.items()))
    return folder


def _write(path, text):
    with open(path, "w") as out:
        out.write(text)


def make_database(lab, path):
    """A database with all tables: made once, then copied."""
    template = lab.file("template.sqlite")
    if not os.path.exists(template):
        run(PYTHON, "-c", MAKE_TABLES, template, timeout=120, env=environment(lab))
    shutil.copy(template, path)


class Neutron:
    """settings: {section: {option: value}} over what is set here; plugin=False: without ours.

    api_workers: 0 serves requests in the main process' one child, as Neutron does with 1.
    """

    def __init__(self, lab, etcd_endpoints, api_workers=1, namespace=None, settings=None,
                 plugin=True, database=None, name="neutron", host="127.0.0.1"):
        self.lab = lab
        self.name = name
        self.namespace = namespace
        self.host = host
        self.port = free_port()
        self.config = lab.file(f"{name}.conf")
        self.database = database or lab.file(f"{name}.sqlite")
        if not os.path.exists(self.database):
            make_database(lab, self.database)
        self._write_config(etcd_endpoints, api_workers, plugin, settings or {})
        self.process = self.rpc = None
        self.seconds = 0.0   # what the last request took
        self.start()

    def _write_config(self, etcd_endpoints, api_workers, plugin, settings):
        plugins = "router,port_forwarding,qos" + (",networking_fipd" if plugin else "")
        config = configparser.ConfigParser(interpolation=None, default_section="none")
        config.read_dict({
            "DEFAULT": {
                "auth_strategy": "noauth", "transport_url": "fake://", "core_plugin": "ml2",
                "service_plugins": plugins, "bind_host": self.host, "bind_port": self.port,
                "api_workers": api_workers, "rpc_workers": 1, "rpc_state_report_workers": 0,
                "state_path": self.lab.file(self.name), "dhcp_agent_notification": False,
                "api_paste_config": "/etc/neutron/api-paste.ini",
                "notify_nova_on_port_status_changes": False,
                "notify_nova_on_port_data_changes": False},
            "oslo_concurrency": {"lock_path": self.lab.file(f"{self.name}.locks")},
            "oslo_policy": {"policy_dirs": self.lab.file("no-policies")},
            "database": {"connection": f"sqlite:///{self.database}?timeout=1",
                         "max_retries": 3},
            "ml2": {"type_drivers": "local,flat", "tenant_network_types": "local",
                    "mechanism_drivers": "fipd_test", "extension_drivers": "qos"},
            "ml2_type_flat": {"flat_networks": "*"},
            # Without reservations: they are two more transactions that SQLite may refuse.
            "quotas": {"quota_driver": "neutron.db.quota.driver_null.DbQuotaDriverNull",
                       "track_quota_usage": False},
            "networking_fipd": {"etcd_endpoints": ",".join(etcd_endpoints),
                                "leader_ttl": 3, "compare_interval": 5, "status_grace": 3,
                                "heartbeat_interval": 2}})
        config.read_dict(settings)
        with open(self.config, "w") as out:
            config.write(out)

    def start(self):
        self.process = self._run(self.name, ["neutron-server", "--config-file", self.config])
        wait_for(self._serves, 60, lambda: f"neutron-server serves\n{self._tail()}", 0.1)

    def _run(self, name, argv):
        process = self.lab.start(name, argv, self.namespace, environment(self.lab))
        self.lab.at_close.append(self.kill)
        return process

    def _serves(self):
        assert self.process.alive(), f"neutron-server ended\n{self._tail()}"
        try:
            return self.api("GET", "/v2.0/networks?fields=id") is not None
        except OSError:
            return False

    def _tail(self):
        return self.process.text()[-4000:]

    def children(self):
        """{pid: its title} of the server's processes."""
        done = run("ps", "-o", "pid=,args=", "--ppid", self.process.pid, check=False)
        return {int(line.split()[0]): " ".join(line.split()[1:])
                for line in done.stdout.splitlines()}

    def kill(self):
        """All processes at once: nothing is finished any more."""
        _kill_group(self.process)

    def api(self, method, path, body=None, timeout=60):
        """The answer's object; Refused for 400 and more. `seconds` is what it took."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=timeout)
        try:
            begun = time.monotonic()
            if self.namespace:
                with self.namespace.entered():
                    connection.connect()
            connection.request(method, path, None if body is None else json.dumps(body),
                               {"Content-Type": "application/json"})
            response = connection.getresponse()
            text = response.read().decode()
            self.seconds = time.monotonic() - begun
            if response.status >= 400:
                raise Refused(response.status, text)
            return json.loads(text) if text else {}
        except http.client.HTTPException as error:
            raise ConnectionError(str(error)) from error
        finally:
            connection.close()

    def patiently(self, method, path, body=None, undo=None):
        """As api(), asked again where only SQLite was in the way. What the first request has done
        before that is not done again: {} then."""
        asked = 0

        def ask():
            nonlocal asked
            asked += 1
            try:
                return self.api(method, path, body)
            except Refused as refused:
                if asked > 1 and method in ALREADY and ALREADY[method] in str(refused):
                    return {}
                raise
        return self._try_again(ask, undo)

    def _try_again(self, request, undo=None):
        """SQLite refuses a transaction that another process has overtaken, where MariaDB would
        wait, and Neutron answers 500 then: asked again, if the log says that it was this. It may have
        happened after the first of several transactions; undo() takes back what that has left."""
        for attempts_left in (4, 3, 2, 1, 0):
            known = os.path.getsize(self.process.log)
            try:
                return request()
            except (Refused, Failed) as refused:
                if "500" not in str(refused) or not attempts_left:
                    raise
                with open(self.process.log, errors="replace") as log:
                    log.seek(known)
                    if "database is locked" not in log.read():
                        raise
                if undo:
                    undo()

    def create(self, kind, **fields):
        """create("network", name="n1") -> the network as Neutron has it."""
        path, body = _path(kind), {kind: fields}
        return self._try_again(lambda: self.api("POST", path, body),
                               lambda: self._delete_alike(kind, fields))[kind]

    def _delete_alike(self, kind, fields):
        """Of a floating IP that was made by half, a second one would be refused."""
        alike = {name: fields[name] for name in
                 ("port_id", "fixed_ip_address", "floating_ip_address") if fields.get(name)}
        if kind == "floatingip" and alike:
            alike["floating_network_id"] = fields["floating_network_id"]
            query = "&".join(f"{name}={value}" for name, value in alike.items())
            for each in self.list(kind, f"?{query}"):
                self.delete(kind, each["id"])

    def update(self, kind, ident, **fields):
        return self.patiently("PUT", f"{_path(kind)}/{ident}", {kind: fields})[kind]

    def show(self, kind, ident):
        return self.api("GET", f"{_path(kind)}/{ident}")[kind]

    def delete(self, kind, ident):
        self.patiently("DELETE", f"{_path(kind)}/{ident}")

    def list(self, kind, query=""):
        return self.api("GET", f"{_path(kind)}{query}")[_many(kind)]

    def openstack(self, *words, timeout=60, check=True, undo=()):
        """The real client; its standard output. undo: the words that take it back."""
        argv = ["openstack", *words]
        env = {**environment(self.lab), "OS_AUTH_TYPE": "none",
               "OS_ENDPOINT": f"http://{self.host}:{self.port}"}
        if self.namespace:
            argv = self.namespace.prefix(*argv)
        return self._try_again(
            lambda: run(*argv, timeout=timeout, env=env, check=check).stdout,
            lambda: undo and self.openstack(*undo, timeout=timeout, check=False))

    def sync(self, *words):
        """fipd-neutron-sync: (exit code, output)."""
        argv = [PYTHON, "-m", "networking_fipd.cmd.sync", "--config-file", self.config, *words]
        if self.namespace:
            argv = self.namespace.prefix(*argv)
        done = run(*argv, check=False, timeout=60, env=environment(self.lab))
        return done.returncode, done.stdout + done.stderr


def _many(kind):
    return kind[:-1] + "ies" if kind.endswith("policy") else kind + "s"


def _path(kind):
    return f"/v2.0/{_many(kind)}" if kind != "policy" else "/v2.0/qos/policies"


def _kill_group(process):
    if process is not None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.popen.wait()


class SplitNeutron(Neutron):
    """As Debian runs it: uWSGI serves the API, neutron-rpc-server does the rest."""

    def start(self):
        ini = self.lab.file(f"{self.name}.uwsgi.ini")
        _write(ini, f"""[uwsgi]
http-socket = {self.host}:{self.port}
buffer-size = 65535
plugins = python3
master = true
lazy-apps = true
paste-logger = true
die-on-term = true
enable-threads = true
processes = 2
threads = 8
add-header = Connection: close
rem-header = Content-Length
wsgi-file = /usr/bin/neutron-api
pyargv = --config-file={self.config}
""")
        self.rpc = self._run(f"{self.name}-rpc", ["neutron-rpc-server", "--config-file",
                                                  self.config])
        self.process = self._run(self.name, ["uwsgi", "--ini", ini])
        wait_for(self._serves, 60, lambda: f"uWSGI serves\n{self._tail()}", 0.1)

    def kill(self):
        for process in (self.process, self.rpc):
            _kill_group(process)


def fixed_of(port):
    return port["fixed_ips"][0]["ip_address"]


def tap_of(port):
    """The name that agents and hypervisors give to a port's interface."""
    return "tap" + port["id"][:11]


class Cloud:
    """The reference page's set-up: a tenant network, an external one, a router between."""

    def __init__(self, neutron, name="cloud", fixed="10.65.0.0/24", floating="172.16.1.0/24"):
        self.neutron = neutron
        self.name = name
        self.network = neutron.create("network", name=f"{name}-net")
        # From .200 on addresses are the tests' own to name.
        first = fixed.rsplit(".", 1)[0]
        self.subnet = neutron.create(
            "subnet", network_id=self.network["id"], cidr=fixed, ip_version=4, enable_dhcp=False,
            allocation_pools=[{"start": f"{first}.10", "end": f"{first}.199"}])
        self.external = neutron.create("network", name=f"{name}-public",
                                       **{"router:external": True})
        self.external_subnet = neutron.create(
            "subnet", network_id=self.external["id"], cidr=floating, ip_version=4,
            enable_dhcp=False)
        self.router = neutron.create("router", name=f"{name}-router",
                                     external_gateway_info={"network_id": self.external["id"]})
        neutron.api("PUT", f"/v2.0/routers/{self.router['id']}/add_router_interface",
                    {"subnet_id": self.subnet["id"]})

    def port(self, host=None, **fields):
        if host:
            fields["binding:host_id"] = host
        return self.neutron.create("port", network_id=self.network["id"],
                                   device_owner="compute:nova", device_id=self.name, **fields)

    def floating_ip(self, port=None, **fields):
        if port:
            fields["port_id"] = port["id"]
        return self.neutron.create("floatingip", floating_network_id=self.external["id"],
                                   **fields)
