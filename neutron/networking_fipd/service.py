"""Puts the parts together, from the options."""
import threading

from oslo_log import log as logging

from networking_fipd import database
from networking_fipd import etcd as etcd_module
from networking_fipd import keys
from networking_fipd import neutron_status
from networking_fipd import pending as pending_module
from networking_fipd import writer as writer_module

LOG = logging.getLogger(__name__)


def writer(options, etcd=None):
    return writer_module.Writer(etcd or etcd_module.Etcd.from_options(options),
                                keys.Keys(options.etcd_prefix), database, options.handover,
                                options.interface)


class _Write:
    """Each thread (and so each forked process) has a client of its own."""

    def __init__(self, options):
        self._options = options
        self._local = threading.local()

    def __call__(self, ids):
        if not hasattr(self._local, "writer"):
            self._local.writer = writer(self._options)
        placements, written = self._local.writer.sync(ids)
        for fip_id, placed in placements.items():
            # Also where nothing was written: what is left out changes no value.
            if placed.note:
                LOG.warning("floating IP %s: %s", fip_id, placed.note)
        # Those that are placed get their status from their host's fipd.
        neutron_status.nowhere({fip_id: placements[fip_id] for fip_id in written
                                if not placements[fip_id].hosts})


def pending(options):
    return pending_module.Pending(_Write(options), database.ids_of)
