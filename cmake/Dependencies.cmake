# Every library comes from Debian's packages: deploy/packages.txt, docs/dependencies.md.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(absl REQUIRED)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(CLI11 REQUIRED)
find_package(tomlplusplus REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(prometheus-cpp REQUIRED)
pkg_check_modules(URING REQUIRED IMPORTED_TARGET liburing)
pkg_check_modules(ZSTD REQUIRED IMPORTED_TARGET libzstd)  # zstd and LZ4: what codecs are compared with
pkg_check_modules(LZ4 REQUIRED IMPORTED_TARGET liblz4)
pkg_check_modules(XXHASH REQUIRED IMPORTED_TARGET libxxhash)
# Its header must be compiled with the macros that its library was built with, or classes differ in size.
pkg_check_modules(HTTPLIB REQUIRED IMPORTED_TARGET cpp-httplib)
# Not through pkg-config: its macro for 64-bit offsets, without meaning on 64-bit machines, would forbid sharing
# precompiled headers.
find_path(HIREDIS_INCLUDE_DIR hiredis/hiredis.h REQUIRED)
find_library(HIREDIS_LIBRARY hiredis REQUIRED)
# Headers only: the library is loaded when the lane is first used (transport/ucx/ucx_api.h).
find_path(UCX_INCLUDE_DIR ucp/api/ucp.h REQUIRED)
