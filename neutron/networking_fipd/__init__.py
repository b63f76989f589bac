"""networking_fipd: Neutron's floating IPs, written to etcd for the fipd of each compute host."""
