"""A mechanism driver of the tests' own: binds every port as a tap, without any agent."""
from neutron_lib.api.definitions import portbindings
from neutron_lib.plugins.ml2 import api


class Driver(api.MechanismDriver):
    def initialize(self):
        pass

    @property
    def connectivity(self):
        return portbindings.CONNECTIVITY_L2

    def bind_port(self, context):
        for segment in context.segments_to_bind:
            if not context.host.startswith("unbindable"):
                context.set_binding(segment[api.ID], portbindings.VIF_TYPE_TAP, {})
            return
