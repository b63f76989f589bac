fipd_library(fipd_config
  SOURCES
    ${CMAKE_CURRENT_LIST_DIR}/config.cc
    ${CMAKE_CURRENT_LIST_DIR}/config_etcd_settings.cc
    ${CMAKE_CURRENT_LIST_DIR}/config_health_settings.cc
    ${CMAKE_CURRENT_LIST_DIR}/config_nat_settings.cc
    ${CMAKE_CURRENT_LIST_DIR}/config_nat_values.cc
    ${CMAKE_CURRENT_LIST_DIR}/config_settings.cc
    ${CMAKE_CURRENT_LIST_DIR}/config_values.cc
  LINK fipd_base fipd_etcd_endpoint fipd_state fipd_toml)
