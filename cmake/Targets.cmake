# One library per idea. Arrows of dependency point one way only:
#   base <- format <- runtime <- transport <- cache <- client <- bench <- the binary;
#   eviction and codec stand on base alone; cluster stands on runtime.
function(incipit_library name)
  cmake_parse_arguments(ARG "" "" "FOLDERS;LINK" ${ARGN})
  set(sources)
  foreach(folder ${ARG_FOLDERS})
    file(GLOB_RECURSE found CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/${folder}/*.cc)
    list(APPEND sources ${found})
  endforeach()
  if(NOT sources)
    add_library(${name} INTERFACE)
    target_link_libraries(${name} INTERFACE incipit_options ${ARG_LINK})
    return()
  endif()
  add_library(${name} STATIC ${sources})
  target_link_libraries(${name} PUBLIC incipit_options ${ARG_LINK})
  if(NOT name STREQUAL "incipit_base")
    target_precompile_headers(${name} REUSE_FROM incipit_base)
  endif()
endfunction()

incipit_library(incipit_base FOLDERS cache/base LINK absl::status absl::statusor absl::strings absl::flat_hash_map
  absl::btree absl::function_ref absl::inlined_vector absl::time PkgConfig::XXHASH fmt::fmt
  Threads::Threads OpenSSL::Crypto)
target_precompile_headers(incipit_base PRIVATE <absl/container/flat_hash_map.h> <absl/status/statusor.h>
  <absl/strings/str_cat.h> <absl/types/span.h> <algorithm> <coroutine> <cstdint> <functional> <memory>
  <string> <vector>)
# One kernel per instruction set; the best one is chosen at run time (cache/base/xxh3.h, cache/codec/kernel.h).
function(incipit_kernel path)
  set(options ${ARGN} -O3)
  set_source_files_properties(${CMAKE_SOURCE_DIR}/cache/${path}.cc
    PROPERTIES COMPILE_OPTIONS "${options}" SKIP_PRECOMPILE_HEADERS ON)
endfunction()
incipit_kernel(base/xxh3_avx512 -mavx512f -mavx512bw -Wno-uninitialized
  $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
incipit_kernel(base/xxh3_avx2 -mavx2)
incipit_kernel(base/xxh3_portable)

set_property(SOURCE ${CMAKE_SOURCE_DIR}/cache/base/version.cc PROPERTY COMPILE_DEFINITIONS
  INCIPIT_VERSION="${PROJECT_VERSION}" INCIPIT_BUILD_TYPE="${CMAKE_BUILD_TYPE}"
  INCIPIT_COMPILER="${CMAKE_CXX_COMPILER_ID}-${CMAKE_CXX_COMPILER_VERSION}")

incipit_library(incipit_codec FOLDERS cache/codec LINK incipit_base)
incipit_kernel(codec/kernel_avx512 -mavx512f -mavx512bw -mavx512vl -mbmi -mbmi2 -mpopcnt)
incipit_kernel(codec/kernel_avx2 -mavx2 -mbmi -mbmi2 -mpopcnt)
incipit_kernel(codec/kernel_portable)
if(INCIPIT_FUZZ)
  # A call for each comparison in loops over values took half the time and told the mutator nothing.
  target_compile_options(incipit_codec PRIVATE -fno-sanitize-coverage=trace-cmp)
endif()
# For its loops; with sanitizers GCC 12 dies in this pass over it.
set(options -O3)
if(INCIPIT_SANITIZE AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  list(APPEND options -fno-ipa-cp)
endif()
set_source_files_properties(${CMAKE_SOURCE_DIR}/cache/codec/plane_model.cc PROPERTIES COMPILE_OPTIONS "${options}")

incipit_library(incipit_eviction FOLDERS eviction LINK incipit_base)
incipit_library(incipit_format FOLDERS cache/format LINK incipit_base)
incipit_library(incipit_runtime FOLDERS cache/runtime cache/seams LINK incipit_format PkgConfig::URING)
incipit_library(incipit_cluster FOLDERS cluster/placement cluster/membership
  LINK incipit_runtime nlohmann_json::nlohmann_json)
incipit_library(incipit_transport FOLDERS transport LINK incipit_runtime ${CMAKE_DL_LIBS})
incipit_library(incipit_redis FOLDERS cluster/redis LINK incipit_cluster incipit_transport ${HIREDIS_LIBRARY}
  spdlog::spdlog_header_only)
incipit_library(incipit_cache FOLDERS cache/ram cache/nvme cache/tenants cache/shard cache/node
  LINK incipit_transport incipit_eviction
  spdlog::spdlog_header_only prometheus-cpp::core PkgConfig::HTTPLIB nlohmann_json::nlohmann_json
  tomlplusplus::tomlplusplus)
incipit_library(incipit_client FOLDERS client/src client/hasher client/layouts LINK incipit_transport incipit_codec
  incipit_cluster)
incipit_library(incipit_member FOLDERS cluster/node cluster/warming LINK incipit_cache incipit_redis incipit_client)
incipit_library(incipit_bench FOLDERS bench LINK incipit_client incipit_cache PkgConfig::ZSTD PkgConfig::LZ4)
incipit_library(incipit_cli FOLDERS client/cli LINK incipit_bench incipit_member tomlplusplus::tomlplusplus
  CLI11::CLI11)

foreach(language cc c)
  add_executable(incipit_example_${language} client/examples/example.${language})
  target_link_libraries(incipit_example_${language} PRIVATE incipit_client)
  set_target_properties(incipit_example_${language} PROPERTIES LINKER_LANGUAGE CXX)
endforeach()

if(EXISTS ${CMAKE_SOURCE_DIR}/client/main.cc)
  add_executable(incipit client/main.cc)
  target_link_libraries(incipit PRIVATE incipit_cli)
endif()
