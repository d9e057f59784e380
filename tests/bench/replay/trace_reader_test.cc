#include "bench/replay/trace_reader.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <fstream>
#include <random>
#include <sstream>

#include "fmt/format.h"

namespace incipit::bench {
namespace {

constexpr const char* kGood = "{\"timestamp\": 1, \"input_length\": 600, \"output_length\": 2, \"hash_ids\": [3, 4]}";

struct Outcome {
  absl::StatusOr<TraceReadSummary> summary;
  std::vector<TraceRequest> requests;
};

Outcome Read(const std::string& text, const TraceReadOptions& options = {}) {
  std::istringstream input(text);
  Outcome outcome{absl::UnknownError("not run"), {}};
  outcome.summary = ReadTraceFrom(input, options, [&](const TraceRequest& request) {
    outcome.requests.push_back(request);
    return absl::OkStatus();
  });
  return outcome;
}

TEST(TraceReaderTest, MalformedLinesAreCountedNamedAndLeftOut) {
  const Outcome outcome = Read(fmt::format("{}\nnonsense\n\n{}\n{{\"input_length\": 1}}\n", kGood, kGood));
  ASSERT_TRUE(outcome.summary.ok()) << outcome.summary.status();
  EXPECT_EQ(outcome.requests.size(), 2u);
  EXPECT_EQ(outcome.summary->lines, 5u);
  EXPECT_EQ(outcome.summary->malformed_lines, 2u);
  ASSERT_EQ(outcome.summary->malformed.size(), 2u);
  EXPECT_TRUE(outcome.summary->malformed[0].starts_with("line 2: ")) << outcome.summary->malformed[0];
  EXPECT_TRUE(outcome.summary->malformed[1].starts_with("line 5: ")) << outcome.summary->malformed[1];
}

TEST(TraceReaderTest, ManyMalformedLinesAreAllCountedAndFewShown) {
  std::string text = std::string(kGood) + "\n";
  for (int i = 0; i < 100; ++i) text += "?\n";
  const Outcome outcome = Read(text);
  ASSERT_TRUE(outcome.summary.ok());
  EXPECT_EQ(outcome.summary->malformed_lines, 100u);
  EXPECT_EQ(outcome.summary->malformed.size(), kShownMalformedLines);
}

TEST(TraceReaderTest, StrictEndsAtTheFirstMalformedLine) {
  const Outcome outcome = Read(fmt::format("{}\n?\n{}\n", kGood, kGood), {.strict = true});
  EXPECT_EQ(outcome.summary.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(outcome.summary.status().message().find("line 2"), absl::string_view::npos);
  EXPECT_EQ(outcome.requests.size(), 1u);
}

TEST(TraceReaderTest, TracesWithoutARequestSayWhy) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "is empty"}, {"\n \n\r\n", "blank lines only"}, {"?\n!\n", "none of 2 lines is a request; line 1"}};
  for (const auto& [text, wanted] : cases) {
    const absl::Status status = Read(text).summary.status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << text;
    EXPECT_NE(status.message().find(wanted), absl::string_view::npos) << status;
  }
}

// A file that is never there: a block of lines, over and over.
class RepeatedLines final : public std::streambuf {
 public:
  RepeatedLines(std::string lines, uint64_t times) : lines_(std::move(lines)), left_(times) {}

 protected:
  int_type underflow() override {
    if (left_ == 0) return traits_type::eof();
    --left_;
    setg(lines_.data(), lines_.data(), lines_.data() + lines_.size());
    return traits_type::to_int_type(lines_[0]);
  }

 private:
  std::string lines_;
  uint64_t left_;
};

uint64_t PeakMemoryBytes() {
  struct rusage usage {};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<uint64_t>(usage.ru_maxrss) * 1024;
}

TEST(TraceReaderTest, FilesOfSeveralGigabytesStreamInLittleMemory) {
  constexpr uint64_t kTimes = 320, kLineBytes = 2 << 20, kBadLines = 7;
  std::string lines = std::string(kGood) + "\n";
  for (uint64_t i = 0; i < kBadLines; ++i) lines += "?" + std::string(kLineBytes, ' ') + "\n";
  const uint64_t bytes = lines.size() * kTimes;
  ASSERT_GT(bytes, uint64_t{4} << 30) << "past what 32 bits count";
  RepeatedLines buffer(std::move(lines), kTimes);
  std::istream input(&buffer);
  uint64_t seen = 0, reported = 0;
  const uint64_t before = PeakMemoryBytes();
  const absl::StatusOr<TraceReadSummary> summary = ReadTraceFrom(
      input, {},
      [&](const TraceRequest&) {
        ++seen;
        return absl::OkStatus();
      },
      [&](uint64_t done) { reported = done; });
  ASSERT_TRUE(summary.ok()) << summary.status();
  EXPECT_EQ(seen, kTimes);
  EXPECT_EQ(summary->malformed_lines, kTimes * kBadLines);
  EXPECT_EQ(summary->lines, kTimes * (kBadLines + 1));
  EXPECT_EQ(summary->bytes, bytes);
  EXPECT_GT(reported, uint64_t{4} << 30);
  EXPECT_LT(PeakMemoryBytes() - before, uint64_t{64} << 20);
}

TEST(TraceReaderTest, LinesAreCutRightWhereverChunksEnd) {
  for (uint64_t seed = 1; seed <= 3; ++seed) {
    std::mt19937_64 random(seed);
    std::string text;
    std::vector<uint64_t> firsts;
    while (text.size() < (5u << 20)) {
      // Some lines are longer than a chunk.
      const uint64_t ids = random() % 50 == 0 ? 300'000 : random() % 400;
      firsts.push_back(random() % 1'000'000);
      text += fmt::format("{{\"input_length\": {}, \"hash_ids\": [{}", 512 * (ids + 1), firsts.back());
      for (uint64_t i = 0; i < ids; ++i) text += ",12345";
      text += "]}\n";
    }
    text.pop_back();  // no line feed at the end
    const Outcome outcome = Read(text, {.strict = true});
    ASSERT_TRUE(outcome.summary.ok()) << outcome.summary.status() << " seed " << seed;
    ASSERT_EQ(outcome.requests.size(), firsts.size());
    for (size_t i = 0; i < firsts.size(); ++i) ASSERT_EQ(outcome.requests[i].ids[0], firsts[i]) << "seed " << seed;
    EXPECT_EQ(outcome.summary->bytes, text.size());
  }
}

TEST(TraceReaderTest, StopsAfterTheRequestsAskedForAndAtTheVisitorsError) {
  std::string text;
  for (int i = 0; i < 10; ++i) text += std::string(kGood) + "\n";
  EXPECT_EQ(Read(text, {.max_requests = 3}).requests.size(), 3u);
  std::istringstream input(text);
  int seen = 0;
  const absl::Status status = ReadTraceFrom(input, {}, [&](const TraceRequest&) {
                                return ++seen == 4 ? absl::ResourceExhaustedError("enough") : absl::OkStatus();
                              }).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(seen, 4);
}

TEST(TraceReaderTest, FilesThatCannotBeReadAreNamed) {
  const auto visit = [](const TraceRequest&) { return absl::OkStatus(); };
  for (const std::string& path : {std::string("/nonexistent/trace.jsonl"), testing::TempDir()}) {
    const absl::Status status = ReadTraceFile(path, {}, visit).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
    EXPECT_NE(status.message().find(path), absl::string_view::npos) << status;
  }
  const std::string path = testing::TempDir() + "/trace_reader_test.jsonl";
  std::ofstream(path) << "?\n";
  const absl::Status status = ReadTraceFile(path, {}, visit).status();
  EXPECT_NE(status.message().find(path), absl::string_view::npos) << status;
}

}  // namespace
}  // namespace incipit::bench
