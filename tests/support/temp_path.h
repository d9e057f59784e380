// Names for files of one test: tests of one program may run at the same time, in several processes.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <string>

namespace incipit {

// A path in the directory for temporary files that no other running test uses.
inline std::string TempPath(const std::string& name) {
  const ::testing::TestInfo* test = ::testing::UnitTest::GetInstance()->current_test_info();
  return ::testing::TempDir() + "/incipit." + std::to_string(getpid()) + "." + test->name() + "." + name;
}

}  // namespace incipit
