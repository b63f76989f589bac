fipd_fuzz_target(echo_reply LINK fipd_health)
