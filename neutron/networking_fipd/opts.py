"""Options of networking_fipd, in the group [networking_fipd] of Neutron's configuration."""
from oslo_config import cfg

GROUP = "networking_fipd"

OPTIONS = [
    cfg.ListOpt("etcd_endpoints", default=["http://127.0.0.1:2379"],
                help="Client URLs of the etcd cluster, http or https. When one does not answer, "
                     "the next is asked."),
    cfg.StrOpt("etcd_prefix", default="/fipd/v1/",
               help="What all keys begin with. The [etcd] prefix of fipd on the hosts must be "
                    "the same."),
    cfg.FloatOpt("etcd_timeout", default=3.0, min=0.1,
                 help="Seconds that one request to etcd may take, over all endpoints. API calls "
                      "never wait for etcd; this is for the background threads."),
    cfg.StrOpt("etcd_ca_file",
               help="File with the certificates of the authorities that sign etcd's certificate. "
                    "Without it the system's are used."),
    cfg.StrOpt("etcd_cert_file", help="Client certificate for etcd, PEM."),
    cfg.StrOpt("etcd_key_file", help="Key of the client certificate, PEM."),
    cfg.StrOpt("etcd_user",
               help="User name for etcd's authentication. It needs read and write on the prefix. "
                    "Not together with a client certificate that has a common name: etcd "
                    "refuses that."),
    cfg.StrOpt("etcd_password", secret=True, help="Password of etcd_user."),
    cfg.StrOpt("interface", default="tap", choices=[
        ("tap", "The value names tap and the first 11 characters of the port's id, as Nova names "
                "the device of a port on routed networks."),
        ("route", "The value names no interface: fipd takes that of the host's own route to the "
                  "fixed IP.")],
               help="How fipd finds the interface of an instance."),
    cfg.IntOpt("handover", default=10, min=0, max=3600,
               help="Seconds that the host which a floating IP leaves keeps serving it while the new "
                    "host's fipd has not announced it; at most twice as long, because moves share "
                    "a lease. 0: it stops at once, in the revision of the move."),
    cfg.IntOpt("compare_interval", default=300, min=5,
               help="Seconds between two complete comparisons of Neutron's database with etcd. "
                    "Only the leader among all neutron-server processes compares."),
    cfg.IntOpt("leader_ttl", default=15, min=3,
               help="Seconds after which another process becomes leader when the leader does not "
                    "refresh its lease."),
    cfg.IntOpt("heartbeat_interval", default=30, min=1,
               help="Seconds between two heartbeats that the leader writes for each host whose "
                    "fipd lives; keep it below half of agent_down_time."),
    cfg.IntOpt("status_grace", default=75, min=0,
               help="Seconds that the floating IPs of a host keep their status after its fipd is "
                    "no longer seen; then they become DOWN. The kernel goes on serving while fipd "
                    "restarts."),
]


def register(conf):
    conf.register_opts(OPTIONS, group=GROUP)
    return conf[GROUP]


def list_opts():
    """For oslo-config-generator."""
    return [(GROUP, OPTIONS)]
