fipd_fuzz_target(config LINK fipd_config)
fipd_fuzz_target(bindings_toml LINK fipd_state)
fipd_fuzz_target(bindings_json LINK fipd_state)
fipd_fuzz_target(forward LINK fipd_state)
