fipd_fuzz_target(rtnl_event LINK fipd_bgp)
