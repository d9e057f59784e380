#include "cache/shard/namespace_table.h"

#include <gtest/gtest.h>

#include "tests/support/format_samples.h"

namespace incipit {
namespace {

TEST(NamespaceTable, SameNamespaceHasOneNumber) {
  NamespaceTable table;
  const Layout layout = samples::SampleLayout();
  const NamespaceId id = *table.Open("acme", "m", layout);
  EXPECT_EQ(*table.Open("acme", "m", layout), id);
  EXPECT_EQ(*table.Intern({"acme", "m", layout.Fingerprint()}), id);
  EXPECT_EQ(table.size(), 1u);
}

TEST(NamespaceTable, TenantModelAndLayoutEachSeparate) {
  NamespaceTable table;
  const Layout layout = samples::SampleLayout();
  Layout other = layout;
  other.groups[0].layers += 1;
  const NamespaceId base = *table.Open("ab", "c", layout);
  EXPECT_NE(*table.Open("a", "bc", layout), base);
  EXPECT_NE(*table.Open("ab", "d", layout), base);
  EXPECT_NE(*table.Open("ab", "c", other), base);
  EXPECT_EQ(table.size(), 4u);
}

TEST(NamespaceTable, LayoutIsUnknownUntilASessionOpensTheNamespace) {
  NamespaceTable table;
  const Layout layout = samples::SampleLayout();
  const NamespaceId id = *table.Intern({"acme", "m", layout.Fingerprint()});
  EXPECT_FALSE(table.At(id).layout.has_value());
  EXPECT_EQ(*table.Open("acme", "m", layout), id);
  EXPECT_TRUE(table.At(id).layout == layout);
}

TEST(NamespaceTable, CostIsThatOfTheLayoutsModel) {
  NamespaceTable table;
  Layout layout = samples::SampleLayout();
  layout.name = "deepseek-v3.2-fp8";
  const NamespaceId id = *table.Intern({"acme", "m", layout.Fingerprint()});
  EXPECT_EQ(table.At(id).cost.RelativeAt(100'000), CostModelOf("").RelativeAt(100'000));
  EXPECT_EQ(*table.Open("acme", "m", layout), id);
  EXPECT_EQ(table.At(id).cost.RelativeAt(100'000), CostModelOf("deepseek-v3.2").RelativeAt(100'000));
  EXPECT_NE(CostModelOf("deepseek-v3.2").RelativeAt(100'000), CostModelOf("").RelativeAt(100'000));
}

TEST(NamespaceTable, LimitRefusesNewOnesAndStillFindsOldOnes) {
  NamespaceTable table;
  const Layout layout = samples::SampleLayout();
  for (size_t i = 0; i < kMaxNamespaces; ++i) ASSERT_TRUE(table.Open("t", std::to_string(i), layout).ok());
  EXPECT_EQ(table.Open("t", "one more", layout).status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(*table.Open("t", "7", layout), 7u);
}

TEST(NamespaceTable, BlocksAreCountedWithTheirNamespace) {
  NamespaceTable table;
  const Layout layout = samples::SampleLayout();
  const NamespaceId opened = *table.Open("acme", "m", layout);
  const NamespaceId found = *table.Intern({"acme", "other", layout.Fingerprint()});
  *table.Open("acme", "empty", layout);
  Entry coded, raw;
  coded.namespace_id = opened;
  coded.raw_bytes = 1000;
  coded.stored_bytes = 700;
  raw.namespace_id = found;
  raw.raw_bytes = raw.stored_bytes = 50;
  for (int i = 0; i < 3; ++i) table.CountBlock(coded);
  table.CountBlock(raw);
  table.UncountBlock(coded);
  const std::vector<NamespaceReport> reports = table.Reports();
  ASSERT_EQ(reports.size(), 2u) << "only those with blocks";
  EXPECT_EQ(reports[0].tenant + "/" + reports[0].model + "/" + reports[0].layout, "acme/m/" + layout.name);
  EXPECT_EQ(reports[0].usage.blocks, 2u);
  EXPECT_EQ(reports[0].usage.raw_bytes, 2000u);
  EXPECT_EQ(reports[0].usage.stored_bytes, 1400u);
  EXPECT_EQ(reports[1].layout.size(), 16u) << "the fingerprint: no session has told the name";
  EXPECT_EQ(reports[1].usage.stored_bytes, 50u);
  table.UncountBlock(raw);
  EXPECT_EQ(table.Reports().size(), 1u);
}

}  // namespace
}  // namespace incipit
