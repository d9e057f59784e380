#include "client/cli/log_format.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/details/log_msg.h>

#include "client/cli/json_output.h"

namespace incipit {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

std::string Format(LogFormat format, const std::string& message) {
  const spdlog::log_clock::time_point time(std::chrono::milliseconds(1'700'000'000'123));
  const spdlog::details::log_msg record(time, {}, "", spdlog::level::warn, message);
  spdlog::memory_buf_t out;
  MakeLogFormatter(format)->format(record, out);
  return std::string(out.data(), out.size());
}

TEST(LogFormatTest, TextLineHasTimeLevelAndMessage) {
  EXPECT_EQ(Format(LogFormat::kText, "event=x shard=1"), "time=2023-11-14T22:13:20.123Z level=warn event=x shard=1\n");
}

TEST(LogFormatTest, JsonLineHasOneFieldPerPair) {
  const std::string line = Format(LogFormat::kJson, "event=x shard=1 cause=\"a b\"");
  EXPECT_EQ(line,
            "{\"time\":\"2023-11-14T22:13:20.123Z\",\"level\":\"warn\",\"event\":\"x\",\"shard\":\"1\","
            "\"cause\":\"a b\"}\n");
}

TEST(LogFormatTest, LineEndsWithinAMessageDoNotCutItInTwo) {
  for (const LogFormat format : {LogFormat::kText, LogFormat::kJson}) {
    const std::string line = Format(format, "event=x cause=\"a\nb\"");
    EXPECT_EQ(line.find('\n'), line.size() - 1) << line;
  }
}

TEST(LogFormatTest, BytesThatAreNoTextStayJson) {
  EXPECT_FALSE(Json::parse(Format(LogFormat::kJson, "event=x peer=\xff\xfe"), nullptr, false).is_discarded());
}

TEST(ParseLogMessageTest, QuotesWithinAQuotedValueBelongToIt) {
  EXPECT_THAT(ParseLogMessage("event=x cause=\"open \"a b\": no\" shard=2"),
              ElementsAre(Pair("event", "x"), Pair("cause", "open \"a b\": no"), Pair("shard", "2")));
}

TEST(ParseLogMessageTest, WordsWithoutKeyBecomeTheMessage) {
  EXPECT_THAT(ParseLogMessage("hello shard=2 world"), ElementsAre(Pair("shard", "2"), Pair("message", "hello world")));
}

TEST(ParseLogMessageTest, UnfinishedQuoteTakesTheRest) {
  EXPECT_THAT(ParseLogMessage("cause=\"a b"), ElementsAre(Pair("cause", "\"a b")));
}

TEST(ParseLogMessageTest, EmptyValuesAndMessagesAreKept) {
  EXPECT_THAT(ParseLogMessage("a= b=1"), ElementsAre(Pair("a", ""), Pair("b", "1")));
  EXPECT_THAT(ParseLogMessage(""), ElementsAre());
}

TEST(SetUpLoggingTest, UnknownLevelsAndFormatsNameTheFlag) {
  EXPECT_THAT(std::string(SetUpLogging("loud", "text").message()), HasSubstr("--log-level loud"));
  EXPECT_THAT(std::string(SetUpLogging("info", "xml").message()), HasSubstr("--log-format xml"));
}

}  // namespace
}  // namespace incipit
