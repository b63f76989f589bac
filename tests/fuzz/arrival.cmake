fipd_fuzz_target(arrival LINK fipd_arrival)
