#include "client/cli/layout_option.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "client/layouts/layouts.h"

namespace incipit {
namespace {

using testing::HasSubstr;

TEST(LayoutOptionTest, EveryShippedNameResolves) {
  for (const std::string& name : LayoutNames()) {
    const absl::StatusOr<Layout> layout = LayoutOption{.name = name}.Resolve();
    ASSERT_TRUE(layout.ok()) << layout.status();
    EXPECT_EQ(layout->name, name);
  }
}

TEST(LayoutOptionTest, CustomSizesMakeOneGroup) {
  const absl::StatusOr<Layout> layout = LayoutOption{.name = "custom:61x1152", .block_tokens = 16}.Resolve();
  ASSERT_TRUE(layout.ok()) << layout.status();
  ASSERT_EQ(layout->groups.size(), 1u);
  EXPECT_EQ(layout->groups[0].BlockBytes(), 61u * 1152 * 16);
}

TEST(LayoutOptionTest, ErrorsNameTheFlag) {
  for (const char* name : {"deepseek", "", "custom:", "custom:61", "custom:61x", "custom:ax1", "custom:0x1152",
                           "custom:-1x5", "custom:1x2x3"}) {
    const absl::StatusOr<Layout> layout = LayoutOption{.name = name}.Resolve();
    ASSERT_FALSE(layout.ok()) << name;
    EXPECT_THAT(std::string(layout.status().message()), HasSubstr(std::string("--layout ") + name));
  }
}

TEST(LayoutOptionTest, BlockSizeThatDoesNotSuitIsRefused) {
  const absl::StatusOr<Layout> layout = LayoutOption{.name = "deepseek-v4-pro", .block_tokens = 100}.Resolve();
  EXPECT_EQ(layout.status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(LayoutOptionTest, FlagsFillTheOption) {
  CLI::App app;
  LayoutOption option;
  AddLayoutOption(&app, &option);
  app.parse(std::vector<std::string>{"32", "--block-tokens", "llama-3.1-70b", "--layout"});
  EXPECT_EQ(option.name, "llama-3.1-70b");
  EXPECT_EQ(option.block_tokens, 32u);
}

}  // namespace
}  // namespace incipit
