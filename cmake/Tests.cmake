# One test program per top-level folder of tests/, and one for the command line; each holds every *_test.cc below its
# folder.
find_package(GTest REQUIRED)
include(GoogleTest)

function(incipit_tests name)
  set(folder ${name})
  if(name STREQUAL "cli")
    set(folder client/cli)
  endif()
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/${folder}/*.cc)
  if(name STREQUAL "client")
    list(FILTER sources EXCLUDE REGEX "/tests/client/cli/")
  endif()
  list(FILTER sources EXCLUDE REGEX "/tests/transport/ucx/")
  add_executable(test_${name} ${sources})
  target_link_libraries(test_${name} PRIVATE ${ARGN} GTest::gmock GTest::gtest GTest::gtest_main)
  # Tests are many and run briefly: compiling them is what costs. The code under test keeps its own flags.
  target_compile_options(test_${name} PRIVATE $<$<CONFIG:RelWithDebInfo>:-O1 -g1>)
  target_compile_definitions(test_${name} PRIVATE
    INCIPIT_SOURCE_DIR="${CMAKE_SOURCE_DIR}" INCIPIT_BINARY_DIR="${CMAKE_BINARY_DIR}")
  target_precompile_headers(test_${name} PRIVATE <gtest/gtest.h> <gmock/gmock.h> <absl/status/statusor.h>
    <absl/container/flat_hash_map.h> <algorithm> <memory> <string> <vector>)
  gtest_discover_tests(test_${name} DISCOVERY_MODE PRE_TEST PROPERTIES TIMEOUT 300)
endfunction()

incipit_tests(eviction incipit_eviction)
incipit_tests(cluster incipit_member incipit_client)
incipit_tests(transport incipit_transport)
incipit_tests(cache incipit_client incipit_cache)
incipit_tests(client incipit_client incipit_cache)
incipit_tests(cli incipit_cli)
if(TARGET test_client)  # The C interface is called from C; the examples are run.
  add_library(test_c_calls OBJECT tests/client/src/c_calls.c)
  target_link_libraries(test_c_calls PRIVATE incipit_options)
  target_link_libraries(test_client PRIVATE test_c_calls)
  add_dependencies(test_client incipit_example_cc incipit_example_c)
endif()
incipit_tests(bench incipit_bench)
file(GLOB cluster_sim CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/support/cluster_sim/*.cc)
add_library(incipit_cluster_sim STATIC EXCLUDE_FROM_ALL ${cluster_sim})
target_link_libraries(incipit_cluster_sim PUBLIC incipit_member incipit_client incipit_cache incipit_cluster
  GTest::gtest)
target_compile_options(incipit_cluster_sim PRIVATE $<$<CONFIG:RelWithDebInfo>:-O1 -g1>)
incipit_tests(sim incipit_cluster_sim)
# The only program with defences that can be taken away: it compiles the sources that hold one itself, and the linker
# then has no use for those of the libraries.
incipit_tests(canary incipit_cluster_sim)
target_compile_definitions(test_canary PRIVATE INCIPIT_CANARY)
target_sources(test_canary PRIVATE cache/shard/block_store.cc cache/shard/block_store_ram.cc cache/shard/session.cc
  cache/shard/shard.cc cache/shard/store_receiver.cc client/src/core/load_receiver.cc
  cluster/membership/cluster_map.cc)
incipit_tests(conformance incipit_member incipit_client incipit_cache)
incipit_tests(golden incipit_client incipit_cache incipit_cluster)
incipit_tests(campaigns incipit_client incipit_member)

# The ucx lane, over each of UCX's transports that every machine has; over RDMA by tests/rdma/run_softroce.sh.
file(GLOB_RECURSE ucx_tests CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/transport/ucx/*.cc
  ${CMAKE_SOURCE_DIR}/tests/rdma/*.cc)
add_executable(test_rdma ${ucx_tests})
target_link_libraries(test_rdma PRIVATE incipit_client incipit_cache GTest::gmock GTest::gtest GTest::gtest_main)
target_compile_options(test_rdma PRIVATE $<$<CONFIG:RelWithDebInfo>:-O1 -g1>)
foreach(transports tcp posix,tcp)
  string(REGEX REPLACE ",.*" "" transport ${transports})
  add_test(NAME Ucx.${transport} COMMAND test_rdma)
  set_tests_properties(Ucx.${transport} PROPERTIES TIMEOUT 300 ENVIRONMENT INCIPIT_UCX_TEST_TRANSPORTS=${transports}
    SKIP_REGULAR_EXPRESSION "  SKIPPED  ")
endforeach()

# Commands of the real binary, at tiny sizes.
if(TARGET incipit)
  find_package(Python3 REQUIRED COMPONENTS Interpreter)
  foreach(case replay-ram replay-nvme demo bench)
    add_test(NAME EndToEnd.${case}
      COMMAND Python3::Interpreter ${CMAKE_SOURCE_DIR}/tests/bench/end_to_end.py $<TARGET_FILE:incipit> ${case})
    set_tests_properties(EndToEnd.${case} PROPERTIES TIMEOUT 300)
  endforeach()
  add_test(NAME EndToEnd.cli
    COMMAND Python3::Interpreter ${CMAKE_SOURCE_DIR}/tests/cli/run_cli.py $<TARGET_FILE:incipit>
    WORKING_DIRECTORY ${CMAKE_BINARY_DIR})
  set_tests_properties(EndToEnd.cli PROPERTIES TIMEOUT 300)
  add_test(NAME EndToEnd.tenants
    COMMAND Python3::Interpreter ${CMAKE_SOURCE_DIR}/tests/cli/run_tenants.py $<TARGET_FILE:incipit>
    WORKING_DIRECTORY ${CMAKE_BINARY_DIR})
  set_tests_properties(EndToEnd.tenants PROPERTIES TIMEOUT 300)
endif()

if(INCIPIT_FUZZ)
  file(GLOB fuzzers CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/fuzz/*_fuzz.cc)
  foreach(source ${fuzzers})
    get_filename_component(name ${source} NAME_WE)
    add_executable(${name} ${source})
    # Only what has decoders: what is not linked need not be compiled once more.
    target_link_libraries(${name} PRIVATE incipit_transport incipit_codec incipit_cluster)
    target_link_options(${name} PRIVATE -fsanitize=fuzzer)
  endforeach()
  target_sources(trace_line_fuzz PRIVATE bench/replay/trace_line.cc)
  target_sources(sealed_segment_fuzz PRIVATE client/src/codec/sealed_codec.cc client/src/codec/hkdf.cc
    client/src/codec/xaes_gcm.cc client/src/sealing_key.cc)
endif()
