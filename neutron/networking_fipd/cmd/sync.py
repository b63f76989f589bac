"""fipd-neutron-sync: compares Neutron's floating IPs with etcd, and repairs on request."""
import sys

from neutron.common import config
from oslo_config import cfg
from oslo_log import log as logging

from networking_fipd import compare
from networking_fipd import database
from networking_fipd import etcd as etcd_module
from networking_fipd import keys
from networking_fipd import opts
from networking_fipd import service

CLI = [cfg.BoolOpt("repair", default=False,
                   help="Write what differs. Without it nothing is written.")]


def main():
    """Exit codes: 0 equal, or repaired; 1 different, or not all of it could be repaired; 2 etcd or
    the database cannot be used."""
    cfg.CONF.register_cli_opts(CLI)
    options = opts.register(cfg.CONF)
    config.register_common_config_options()
    config.init(sys.argv[1:])
    logging.setup(cfg.CONF, "fipd-neutron-sync")
    try:
        return compared(options, cfg.CONF.repair)
    except (etcd_module.Unavailable, etcd_module.Refused) as error:
        print(f"etcd: {error}", file=sys.stderr)
        return 2


def compared(options, repair):
    etcd = etcd_module.Etcd.from_options(options)
    names = keys.Keys(options.etcd_prefix)
    result = compare.Comparison(etcd, names, database, service.writer(options, etcd)).run(repair)
    for fip_id in result.differing:
        print(f"{fip_id}: {'repaired' if repair else 'differs'}")
    for fip_id, placed in sorted(result.unplaced.items()):
        print(f"{fip_id}: on no host: {placed.reason}")
    print(f"{result.floating_ips} floating IPs with a port or forwardings, "
          f"{len(result.differing)} {'repaired' if repair else 'different'}")
    return 1 if result.differing and not repair or not result.complete else 0


if __name__ == "__main__":
    sys.exit(main())
