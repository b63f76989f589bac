"""What is read of Neutron's tables, in an SQLite of its own."""
import datetime

from neutron.db.migration.models import head
from neutron.db.models import l3
from neutron_lib.db import standard_attr
import pytest
import sqlalchemy as sa
from sqlalchemy import orm

from networking_fipd import database
from networking_fipd.placement import place

PORT, HOST = "9a7e0868-da11-4000-8000-000000000001", "compute1"
NOW = datetime.datetime(2026, 11, 24, 6, 10, 0)


class Tables:
    def __init__(self):
        engine = sa.create_engine("sqlite://")
        self.metadata = head.get_metadata()
        self.metadata.create_all(engine)
        self.session = orm.Session(engine)
        self._insert("networks", id="n1", standard_attr_id=self._serial(), admin_state_up=True)
        self._insert("ports", id=PORT, network_id="n1", standard_attr_id=self._serial(),
                     mac_address="52:54:00:12:34:56", admin_state_up=True, status="ACTIVE",
                     device_id="", device_owner="compute:nova")
        self._insert("ml2_port_bindings", port_id=PORT, host=HOST, vif_type="tap",
                     vnic_type="normal", profile="", vif_details="", status="ACTIVE")
        self._insert("ipallocations", port_id=PORT, ip_address="10.65.0.13", subnet_id="s1",
                     network_id="n1")

    def _insert(self, table, **row):
        return self.session.execute(sa.insert(self.metadata.tables[table]).values(**row))

    def _serial(self, created=NOW):
        made = self._insert("standardattributes", resource_type="test", created_at=created,
                            revision_number=0)
        return made.inserted_primary_key[0]

    def floating_ip(self, ident, address, created=NOW):
        self._insert("floatingips", id=ident, floating_ip_address=address,
                     floating_network_id=f"public-of-{ident}", floating_port_id=f"port-of-{ident}",
                     fixed_port_id=PORT, fixed_ip_address="10.65.0.13", status="DOWN",
                     standard_attr_id=self._serial(created))

    def profile(self, text):
        table = self.metadata.tables["ml2_port_bindings"]
        self.session.execute(sa.update(table).values(profile=text))

    def placed(self):
        """{id: Placement} of all floating IPs."""
        ids = [row.id for row in self.session.query(l3.FloatingIP.id)]
        found = database._Records(self.session, ids).floating_ips()
        return {ident: place(fip) for ident, fip in found.items()}

    def primaries(self):
        """Of the floating IPs, those from which the instance sends."""
        return [ident for ident, placed in self.placed().items()
                if placed.hosts[HOST].get("primary")]


@pytest.fixture
def tables():
    made = Tables()
    yield made
    made.session.close()


@pytest.mark.parametrize("ids", [("a", "b"), ("b", "a")])
def test_of_floating_ips_created_in_one_second_the_first_in_the_table_is_primary(tables, ids):
    for ident, address in zip(ids, ("172.16.1.9", "172.16.9.3")):
        tables.floating_ip(ident, address)
    assert tables.primaries() == [ids[0]]


def test_the_older_is_primary_in_whatever_order_they_are_in_the_table(tables):
    tables.floating_ip("a", "172.16.1.9", NOW)
    tables.floating_ip("b", "172.16.9.3", NOW - datetime.timedelta(seconds=1))
    assert tables.primaries() == ["b"]


def test_a_serial_of_more_digits_is_the_younger_one(tables):
    tables.session.execute(sa.insert(standard_attr.StandardAttribute).values(
        id=98, resource_type="test", created_at=NOW, revision_number=0))
    tables.floating_ip("b", "172.16.1.9")
    tables.floating_ip("a", "172.16.9.3")
    assert tables.primaries() == ["b"]


@pytest.mark.parametrize("profile", [
    '{"migrating_to": ["h"]}', '{"migrating_to": {"h": 1}}', '{"migrating_to": 5}',
    '{"migrating_to": true}', '{"migrating_to": ""}', '{"migrating_to": null}',
    '{"migrating_to": "\\ud800"}', '["migrating_to"]', '{"migrating_to', '',
    '{"migrating_to": "h", "x": ' + "[" * 3000 + "]" * 3000 + "}"],
    ids=lambda text: text[:26])
def test_a_profile_that_names_no_host_is_no_migration(tables, profile):
    tables.floating_ip("a", "172.16.1.9")
    tables.profile(profile)
    assert list(tables.placed()["a"].hosts) == [HOST]


def test_a_profile_that_names_a_host_is_a_migration(tables):
    tables.floating_ip("a", "172.16.1.9")
    tables.profile('{"migrating_to": "compute2"}')
    assert {host: value["role"] for host, value in tables.placed()["a"].hosts.items()} == {
        HOST: "source", "compute2": "target"}
