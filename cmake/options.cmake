# What every target of ours is compiled with: fipd_options carries it, by link.
add_library(fipd_options INTERFACE)
target_include_directories(fipd_options INTERFACE ${PROJECT_SOURCE_DIR})
target_include_directories(fipd_options SYSTEM INTERFACE ${EXPECTED_INCLUDE_DIR} ${Boost_INCLUDE_DIRS})
target_compile_features(fipd_options INTERFACE cxx_std_20)
target_compile_options(fipd_options INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror)
# False with gcc 12 from -O2 on: it inlines one half of Asio's pair of operators for coroutine frames,
# and takes the two ends of a string's inner buffer for one (GCC bug 105651).
target_compile_options(fipd_options INTERFACE
  $<$<CXX_COMPILER_ID:GNU>:-Wno-mismatched-new-delete -Wno-restrict>)
target_compile_definitions(fipd_options INTERFACE
  BOOST_ASIO_NO_DEPRECATED
  BOOST_ASIO_DISABLE_BOOST_DATE_TIME
  SPDLOG_FMT_EXTERNAL
  FIPD_VERSION="${PROJECT_VERSION}")
target_link_libraries(fipd_options INTERFACE Threads::Threads fmt::fmt)
if(FIPD_SANITIZE)
  target_compile_options(fipd_options INTERFACE
    -fsanitize=${FIPD_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  if(FIPD_SANITIZE_NOT)
    target_compile_options(fipd_options INTERFACE -fno-sanitize=${FIPD_SANITIZE_NOT})
  endif()
  target_link_options(fipd_options INTERFACE -fsanitize=${FIPD_SANITIZE})
endif()

# fipd_library(NAME SOURCES... [LINK libraries...]): a static library of ours.
function(fipd_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_link_libraries(${name} PUBLIC fipd_options ${ARG_LINK})
endfunction()

# fipd_unit_test(NAME SOURCES... LINK libraries...): one GoogleTest binary, its tests known to ctest.
function(fipd_unit_test name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE ${ARG_LINK} GTest::gmock GTest::gtest_main)
  # gcc 12 sees uninitialized members in any std::variant that a vector of it copies.
  target_compile_options(${name} PRIVATE -Wno-maybe-uninitialized)
  add_dependencies(unit_tests ${name})
  gtest_discover_tests(${name} DISCOVERY_TIMEOUT 60 PROPERTIES TIMEOUT 120)
endfunction()
