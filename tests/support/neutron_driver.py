"""A mechanism driver of the tests' own: binds every port as a tap, without any agent, and accepts
bandwidth rules, which Neutron wants of somebody before a network may have a policy with one."""
from neutron_lib.api.definitions import portbindings
from neutron_lib.plugins.ml2 import api
from neutron_lib.services.qos import base
from neutron_lib.services.qos import constants


class Driver(api.MechanismDriver):
    def initialize(self):
        self._qos = base.DriverBase(
            "fipd_test", [portbindings.VIF_TYPE_TAP], [portbindings.VNIC_NORMAL],
            {constants.RULE_TYPE_BANDWIDTH_LIMIT: {
                constants.DIRECTION: {"type:values": ["ingress", "egress"]}}})

    @property
    def connectivity(self):
        return portbindings.CONNECTIVITY_L2

    def bind_port(self, context):
        for segment in context.segments_to_bind:
            if not context.host.startswith("unbindable"):
                context.set_binding(segment[api.ID], portbindings.VIF_TYPE_TAP, {})
            return
