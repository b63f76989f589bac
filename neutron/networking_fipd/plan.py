"""From what etcd holds to what it should hold, for one floating IP: a pure function.

All changes of one floating IP are one transaction on the condition that its index key did not
change since it was read.
"""
import dataclasses

from networking_fipd import etcd
from networking_fipd import keys


@dataclasses.dataclass(frozen=True)
class Held:
    """What etcd has for one floating IP."""
    revision: int = 0                                      # of the index key; 0: none
    index: dict = None
    hosts: dict = dataclasses.field(default_factory=dict)  # host -> (value or None, lease)


@dataclasses.dataclass
class Change:
    fip_id: str
    compare: list
    puts: list = dataclasses.field(default_factory=list)      # (key, value)
    leaving: list = dataclasses.field(default_factory=list)   # (key, value), on a lease
    deletes: list = dataclasses.field(default_factory=list)
    only_tidies: bool = False   # the index names hosts whose leaving has ended, nothing else

    @property
    def size(self):
        return len(self.puts) + len(self.leaving) + len(self.deletes)

    def operations(self, lease):
        return ([etcd.put_op(key, keys.encoded(value)) for key, value in self.puts]
                + [etcd.put_op(key, keys.encoded(value), lease) for key, value in self.leaving]
                + [etcd.delete_op(key) for key in self.deletes])


def change(names, fip_id, held, placement, index, handover, released=False):
    """The Change that makes `held` into `placement`, or None where it is so already.

    index: the index value for the placement, None where the floating IP needs no key at all.
    released: hosts that are leaving need not serve any longer.
    """
    made = Change(fip_id, [etcd.at_revision(names.index_of(fip_id), held.revision)])
    hosts_then = dict(index["hosts"]) if index else {}
    for host, value in placement.hosts.items():
        old, lease = held.hosts.get(host, (None, 0))
        if old != value or lease:
            made.puts.append((names.binding(host, fip_id), value))
    for host, (old, lease) in held.hosts.items():
        if host in placement.hosts:
            continue
        # What the index does not name is nothing that the controller had placed.
        stray = host not in keys.hosts_of(held.index)
        role = None if stray or released else _role_after(old, lease, placement, handover)
        if role == keys.LEAVING:
            hosts_then[host] = keys.LEAVING
            if old.get("role") != keys.LEAVING:
                made.leaving.append((names.binding(host, fip_id), dict(
                    old, role=keys.LEAVING, peer=placement.serving)))
        else:
            made.deletes.append(names.binding(host, fip_id))
    _index(names, made, held, index, hosts_then)
    return made if made.size else None


def _role_after(old, lease, placement, handover):
    """What a host that should have nothing keeps until it may go: LEAVING or None."""
    if placement.serving is None or not handover or old is None:
        return None
    role = old.get("role", "")
    if role == keys.LEAVING:
        return role if lease else None   # without a lease it would stay for ever
    return keys.LEAVING if role in keys.SERVING else None


def _index(names, made, held, index, hosts_then):
    key = names.index_of(made.fip_id)
    if index is None:
        if held.revision:
            made.deletes.append(key)
        return
    value = dict(index, hosts=hosts_then)
    # Every change of a host's key writes the index too: its revision guards them all.
    if value != held.index or made.size:
        made.only_tidies = not made.size and _without_leavers(held.index) == _without_leavers(value)
        made.puts.append((key, value))


def _without_leavers(index):
    return index and dict(index, hosts={host: role for host, role in keys.hosts_of(index).items()
                                        if role != keys.LEAVING})
