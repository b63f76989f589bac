fipd_fuzz_target(bird_reply LINK fipd_bgp)
