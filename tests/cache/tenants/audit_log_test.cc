#include "cache/tenants/audit_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace incipit {
namespace {

TEST(AuditLog, LineSaysWhoFromWhereAndWhy) {
  std::vector<std::string> lines;
  AuditLog log([&](const std::string& line) { lines.push_back(line); });
  log.Write({"auth_refused", "10.0.0.5:4", "acme", "wrong"}, 1);
  EXPECT_THAT(lines, ::testing::ElementsAre(R"(event=auth_refused peer=10.0.0.5:4 tenant="acme" cause="wrong")"));
}

TEST(AuditLog, NameFromOutsideCannotForgeALine) {
  std::vector<std::string> lines;
  AuditLog log([&](const std::string& line) { lines.push_back(line); });
  log.Write({"auth_refused", "p", "x\"\nevent=tenants_reloaded \x1b[0m", "c"}, 1);
  log.Write({"auth_refused", "p", std::string(5000, 'a'), "c"}, 1);
  EXPECT_EQ(lines[0].find('\n'), std::string::npos);
  EXPECT_EQ(lines[0].find('\x1b'), std::string::npos);
  EXPECT_NE(lines[0].find(R"(tenant="x\"\nevent)"), std::string::npos) << lines[0];
  EXPECT_LT(lines[1].size(), 300u);
}

TEST(AuditLog, LinesAreBoundedAndTheRestIsCounted) {
  std::vector<std::string> lines;
  AuditLog log([&](const std::string& line) { lines.push_back(line); });
  for (int i = 0; i < 1000; ++i) log.Write({"e", "p", "t", "c"}, 1);
  EXPECT_EQ(lines.size(), kAuditBurstLines);
  EXPECT_EQ(log.left_out(), 1000 - kAuditBurstLines);
  log.Write({"e", "p", "t", "c"}, 2 + kAuditLineNs);
  ASSERT_EQ(lines.size(), kAuditBurstLines + 1);
  EXPECT_NE(lines.back().find("left_out=980"), std::string::npos) << lines.back();
  EXPECT_EQ(log.left_out(), 0u);
}

TEST(AuditLog, WithoutASinkItOnlyCounts) {
  AuditLog log(nullptr);
  log.Write({"e", "p", "t", "c"}, 1);
  EXPECT_EQ(log.left_out(), 1u);
}

}  // namespace
}  // namespace incipit
