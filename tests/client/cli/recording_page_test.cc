#include "client/cli/recording_page.h"

#include <gtest/gtest.h>

#include "cache/node/http_server.h"

namespace incipit {
namespace {

TEST(RecordingPageTest, HeadAndLinesAreToldApart) {
  const absl::StatusOr<RecordingPage> page =
      ParseRecordingPage("{\"next\": 7, \"missed\": 2, \"partial\": 1}\n{\"a\": 1}\n{\"b\": 2}\n");
  ASSERT_TRUE(page.ok()) << page.status();
  EXPECT_EQ(page->next, 7u);
  EXPECT_EQ(page->missed, 2u);
  EXPECT_EQ(page->partial, 1u);
  EXPECT_EQ(page->requests, 2u);
  EXPECT_EQ(page->lines, "{\"a\": 1}\n{\"b\": 2}\n");
}

TEST(RecordingPageTest, WhatIsNoRecordingIsAnError) {
  for (const char* body : {"", "{}", "{}\n", "<html>\n", "{\"next\": -1, \"missed\": 0, \"partial\": 0}\n",
                           "{\"next\": 1, \"missed\": 0}\n", "[1]\n", "{\"next\": 1, \"missed\": 0, \"partial\": 0}"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(ParseRecordingPage(body).status())) << body;
  }
}

TEST(RecordingPageTest, ANodeIsAskedFromWhereItLeftOff) {
  uint64_t asked = 0;
  const auto answer = [&](uint64_t from) -> HttpResponse {
    asked = from;
    if (from == 9) return {.code = 404};
    if (from == 10) return {.code = 500};
    return {.body = "{\"next\": 6, \"missed\": 0, \"partial\": 0}\n{}\n"};
  };
  absl::StatusOr<std::unique_ptr<HttpServer>> server =
      HttpServer::Start("127.0.0.1:0", {{"/recording", nullptr, answer}});
  ASSERT_TRUE(server.ok()) << server.status();
  const std::string address = (*server)->address();
  const absl::StatusOr<RecordingPage> page = FetchRecordingPage(address, 5);
  ASSERT_TRUE(page.ok()) << page.status();
  EXPECT_EQ(asked, 5u);
  EXPECT_EQ(page->next, 6u);
  EXPECT_TRUE(absl::IsFailedPrecondition(FetchRecordingPage(address, 9).status()));
  EXPECT_TRUE(absl::IsUnavailable(FetchRecordingPage(address, 10).status()));
  server->reset();
  EXPECT_TRUE(absl::IsUnavailable(FetchRecordingPage(address, 5).status()));
}

}  // namespace
}  // namespace incipit
