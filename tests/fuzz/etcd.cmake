fipd_fuzz_target(etcd_stream LINK fipd_etcd)
fipd_fuzz_target(etcd_records LINK fipd_etcd)
fipd_fuzz_target(calico_endpoint LINK fipd_etcd)
