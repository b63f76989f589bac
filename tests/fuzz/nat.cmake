fipd_fuzz_target(nat_elements LINK fipd_nat)
fipd_fuzz_target(nat_events LINK fipd_nat)
fipd_fuzz_target(nat_connections LINK fipd_nat)
fipd_fuzz_target(nat_objects LINK fipd_nat)
