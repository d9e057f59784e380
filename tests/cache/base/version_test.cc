#include "cache/base/version.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

namespace incipit {
namespace {

TEST(VersionTest, ThreeNumbersOfTheProject) {
  const std::string version = BuildVersion();
  EXPECT_EQ(version.find_first_not_of("0123456789."), std::string::npos) << version;
  EXPECT_EQ(std::count(version.begin(), version.end(), '.'), 2) << version;
  EXPECT_NE(std::string(BuildCompiler()).find('-'), std::string::npos) << "name and version of the compiler";
}

}  // namespace
}  // namespace incipit
