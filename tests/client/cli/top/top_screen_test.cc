#include "client/cli/top/top_screen.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_join.h"

namespace incipit {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TopView View(size_t nodes) {
  TopView view;
  view.epoch = 7;
  for (size_t i = 0; i < nodes; ++i) {
    NodeView node{.name = "node" + std::to_string(i), .state = "serving", .answers = true, .whole = true};
    node.ram_bytes = 32 << 20;
    node.ram_capacity_bytes = 64 << 20;
    node.load_bytes_per_s = 1.5e9;
    node.matched = {.keys = 8, .hits = 6, .keys_ever = 100, .hits_ever = 10};
    view.nodes.push_back(node);
  }
  view.total = view.nodes[0];
  view.total.name = "total";
  view.tenants = {{.tenant = "acme", .matched = {.keys = 4, .hits = 3}}};
  view.prefixes = {{.tenant = "acme",
                    .model = "deepseek-v3",
                    .key_start = "00112233aabbccdd",
                    .tokens = 65536,
                    .blocks = 12,
                    .bytes_per_s = 2'000'000'000,
                    .copies = 3,
                    .nodes = {"node0", "node1"}}};
  return view;
}

std::string Text(const std::vector<std::string>& lines) { return absl::StrJoin(lines, "\n"); }

TEST(TopScreen, EverythingIsThereWhereThereIsRoom) {
  const std::string text = Text(TopLines(View(2), "12:34:56", {}));
  for (const char* part :
       {"12:34:56", "2 nodes, 2 serving", "epoch 7", "node0", "[#####-----]  50 % of 64 MiB", "1.5 GB/s", "75.0 %",
        "10.0 %", "total", "acme", "00112233aabbccdd", "65536", "2 GB/s", "deepseek-v3", "node0,node1"}) {
    EXPECT_THAT(text, HasSubstr(part));
  }
}

TEST(TopScreen, NoLineIsWiderAndNoPictureHigherThanTheScreen) {
  for (const ScreenSize size : {ScreenSize{80, 24}, {160, 50}, {40, 10}, {20, 14}, {1, 1}, {300, 3}}) {
    const std::vector<std::string> lines = TopLines(View(50), "12:34:56", size);
    EXPECT_LE(lines.size(), size.rows);
    for (const std::string& line : lines) EXPECT_LE(line.size(), size.columns) << line;
  }
  const std::string narrow = Text(TopLines(View(50), "12:34:56", {80, 24}));
  EXPECT_THAT(narrow, HasSubstr("more nodes"));
  EXPECT_THAT(narrow, HasSubstr("total"));
  EXPECT_THAT(narrow, HasSubstr("hottest prefixes"));
  EXPECT_THAT(narrow, Not(HasSubstr("sessions"))) << "columns go from the right";
}

TEST(TopScreen, ANodeThatIsAwayAndOneThatTellsLittleAreShown) {
  TopView view = View(2);
  view.nodes[0] = {.name = "gone", .state = "serving", .error = "nobody answers"};
  view.nodes[1].whole = false;
  const std::string text = Text(TopLines(view, "", {100, 40}));
  EXPECT_THAT(text, HasSubstr("1 away"));
  EXPECT_THAT(text, HasSubstr("gone: nobody answers"));
  EXPECT_THAT(text, HasSubstr("node1  serving"));
}

TEST(TopScreen, NamesAreNoCommandsToTheTerminal) {
  TopView view = View(1);
  view.nodes[0].name = "a\033[2Jb\x9b";
  view.tenants[0].tenant = "t\r\n";
  view.prefixes[0].model = "\033]0;owned\a";
  view.nodes.push_back({.name = "x", .error = "\033c"});
  for (const std::string& line : TopLines(view, "", {200, 40})) {
    for (const char c : line) EXPECT_TRUE(c >= 0x20 && c <= 0x7e) << line;
  }
}

TEST(TopScreen, RatesHaveThreeFigures) {
  EXPECT_EQ(FormatRate(0), "0");
  EXPECT_EQ(FormatRate(999), "999 B/s");
  EXPECT_EQ(FormatRate(999'600), "1 MB/s");
  EXPECT_EQ(FormatRate(1.234e9), "1.23 GB/s");
  EXPECT_EQ(FormatRate(5e16), "5e+04 TB/s");
}

}  // namespace
}  // namespace incipit
