#include "client/cli/text_table.h"

#include <gtest/gtest.h>

namespace incipit {
namespace {

TEST(TextTableTest, NamesStandLeftAndNumbersRight) {
  TextTable table({"shard", "blocks", "state"});
  table.AddRow({"0", "12345", "serving"});
  table.AddRow({"total", "1", "-"});
  EXPECT_EQ(table.Render(),
            "shard  blocks    state\n"
            "0       12345  serving\n"
            "total       1        -\n");
}

TEST(TextTableTest, LinesHaveNoSpaceAtTheirEnd) {
  TextTable table({"name", ""});
  table.AddRow({"a", ""});
  EXPECT_EQ(table.Render(), "name\na\n");
}

}  // namespace
}  // namespace incipit
