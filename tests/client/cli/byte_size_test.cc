#include "client/cli/byte_size.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace incipit {
namespace {

using testing::HasSubstr;

TEST(ByteSizeTest, UnitsOfBothKinds) {
  const std::pair<const char*, uint64_t> cases[] = {
      {"0", 0},
      {"4096", 4096},
      {"4096b", 4096},
      {"1k", 1024},
      {"1KiB", 1024},
      {"1KB", 1000},
      {"512MiB", 512ull << 20},
      {"512m", 512ull << 20},
      {"4GB", 4'000'000'000},
      {"1g", 1ull << 30},
      {"1 TiB", 1ull << 40},
      {"2tb", 2'000'000'000'000},
      {"1p", 1ull << 50},
      {"1.5GiB", 3ull << 29},
      {"0.5k", 512},
      {".5k", 0},
      {"18446744073709551615", UINT64_MAX},
  };
  for (const auto& [text, bytes] : cases) {
    const absl::StatusOr<uint64_t> parsed = ParseByteSize(text);
    if (text[0] == '.') {
      EXPECT_FALSE(parsed.ok()) << text;
      continue;
    }
    ASSERT_TRUE(parsed.ok()) << parsed.status();
    EXPECT_EQ(*parsed, bytes) << text;
  }
}

TEST(ByteSizeTest, WhatIsNoSizeIsRefusedWithAnExample) {
  for (const char* text : {"", " ", "-1", "+1", "GiB", "1x", "1 GiBs", "0x10", "1e9", "1,5g", "1..5g", "nan",
                           "18446744073709551616", "16777216TiB", "99999999999999999999999999", "1.0123456789g"}) {
    const absl::StatusOr<uint64_t> parsed = ParseByteSize(text);
    ASSERT_EQ(parsed.status().code(), absl::StatusCode::kInvalidArgument) << "'" << text << "'";
    EXPECT_THAT(std::string(parsed.status().message()), HasSubstr("512MiB"));
  }
}

TEST(ByteSizeTest, OptionAssignsAndShowsItsDefault) {
  CLI::App app;
  uint64_t bytes = 3ull << 30;
  AddByteSizeOption(&app, "--ram", &bytes, "memory");
  EXPECT_THAT(app.help(), HasSubstr("3 GiB"));
  app.parse(std::vector<std::string>{"512MiB", "--ram"});
  EXPECT_EQ(bytes, 512ull << 20);
}

TEST(ByteSizeTest, OptionNamesItselfInErrorsAndKeepsItsValue) {
  CLI::App app;
  uint64_t bytes = 7;
  AddByteSizeOption(&app, "--ram", &bytes, "memory");
  try {
    app.parse(std::vector<std::string>{"much", "--ram"});
    FAIL() << "accepted";
  } catch (const CLI::ParseError& error) {
    EXPECT_THAT(error.what(), HasSubstr("--ram"));
    EXPECT_THAT(error.what(), HasSubstr("'much' is not a size"));
  }
  EXPECT_EQ(bytes, 7u);
}

}  // namespace
}  // namespace incipit
