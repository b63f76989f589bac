fipd_fuzz_target(route LINK fipd_control)
fipd_fuzz_target(request_body LINK fipd_control)
