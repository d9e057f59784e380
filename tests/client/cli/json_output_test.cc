#include "client/cli/json_output.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace incipit {
namespace {

using testing::HasSubstr;

TEST(JsonOutputTest, FieldsKeepTheirOrderAndTheLineItsEnd) {
  testing::internal::CaptureStdout();
  PrintJsonLine({{"z", 1}, {"a", 2}});
  EXPECT_EQ(testing::internal::GetCapturedStdout(), "{\"z\":1,\"a\":2}\n");
}

TEST(JsonOutputTest, BytesThatAreNoTextAreReplaced) {
  testing::internal::CaptureStdout();
  PrintJson({{"name", "a\xff"}});
  EXPECT_THAT(testing::internal::GetCapturedStdout(), HasSubstr("a\xef\xbf\xbd"));
}

TEST(JsonOutputTest, ErrorGoesToPeopleAndToScripts) {
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  EXPECT_EQ(ReportError("get", absl::UnavailableError("no node"), true), kExitError);
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "incipit get: no node\n");
  const Json json = Json::parse(testing::internal::GetCapturedStdout());
  EXPECT_EQ(json["error"]["code"], "UNAVAILABLE");
  EXPECT_EQ(json["error"]["message"], "no node");
}

TEST(JsonOutputTest, ErrorWithoutJsonLeavesStandardOutputEmpty) {
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  ReportError("get", absl::UnavailableError("no node"), false);
  testing::internal::GetCapturedStderr();
  EXPECT_EQ(testing::internal::GetCapturedStdout(), "");
}

}  // namespace
}  // namespace incipit
