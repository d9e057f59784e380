// Over which of UCX's transports the tests of the ucx lane run, and whether UCX is there at all.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "transport/ucx/ucx_address.h"
#include "transport/ucx/ucx_api.h"

namespace incipit::testing {

inline std::string TextFromEnvironment(const char* name, const char* otherwise) {
  const char* value = std::getenv(name);
  return value == nullptr || *value == '\0' ? otherwise : value;
}

// INCIPIT_UCX_TEST_DEVICES, _TRANSPORTS and _HOST name others than UCX's tcp on loopback, as the run over Soft-RoCE
// does.
inline UcxSettings TestUcxSettings() {
  return {TextFromEnvironment("INCIPIT_UCX_TEST_DEVICES", "lo"),
          TextFromEnvironment("INCIPIT_UCX_TEST_TRANSPORTS", "tcp")};
}
inline std::string TestUcxHost() { return TextFromEnvironment("INCIPIT_UCX_TEST_HOST", "127.0.0.1"); }

// Ends a test (or a fixture's SetUp) that cannot run where libucp is not installed, and says so.
#define INCIPIT_SKIP_WITHOUT_UCX() \
  if (const auto api = ::incipit::UcxApi::Load(); !api.ok()) GTEST_SKIP() << api.status().message()

}  // namespace incipit::testing
