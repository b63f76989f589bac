"""Writes what is known of floating IPs and of their hosts into Neutron."""
from neutron_lib import constants
from neutron_lib import context as neutron_context
from neutron_lib.plugins import constants as plugin_constants
from neutron_lib.plugins import directory
from oslo_log import log as logging

from networking_fipd import database

LOG = logging.getLogger(__name__)

ACTIVE = constants.FLOATINGIP_STATUS_ACTIVE
DOWN = constants.FLOATINGIP_STATUS_DOWN
ERROR = constants.FLOATINGIP_STATUS_ERROR
AGENT_TYPE = "fipd"


def of_nowhere(failed):
    """The status of a floating IP that no host has."""
    return ERROR if failed else DOWN


def nowhere(placements):
    """Floating IPs that are on no host: DOWN, or ERROR with the reason in the log."""
    for fip_id, placed in placements.items():
        if placed.reason:
            (LOG.warning if placed.failed else LOG.info)(
                "floating IP %s is on no host: %s", fip_id, placed.reason)
    apply({fip_id: of_nowhere(placed.failed) for fip_id, placed in placements.items()})


def apply(wanted):
    """{id: status}; writes those that differ and returns how many did."""
    plugin = directory.get_plugin(plugin_constants.L3)
    if not wanted or plugin is None:
        return 0
    count = 0
    for fip_id, status in database.statuses(wanted).items():
        if status != wanted[fip_id]:
            plugin.update_floatingip_status(
                neutron_context.get_admin_context(), fip_id, wanted[fip_id])
            count += 1
            LOG.info("floating IP %s is %s", fip_id, wanted[fip_id])
    return count


def heartbeat(host, agent):
    """Makes the fipd of a host alive in the list of agents."""
    core = directory.get_plugin()
    if core is None or not hasattr(core, "create_or_update_agent"):
        return
    core.create_or_update_agent(neutron_context.get_admin_context(), {
        "agent_type": AGENT_TYPE, "binary": "fipd", "host": host, "topic": "N/A",
        "configurations": agent})
