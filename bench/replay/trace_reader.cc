#include "bench/replay/trace_reader.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <cstring>
#include <fstream>
#include <memory>

#include "cache/base/status_macros.h"

namespace incipit::bench {
namespace {

constexpr size_t kChunkBytes = size_t{1} << 20;

// Cuts what is read into lines. A line that lies in one chunk is not copied.
class LineReader {
 public:
  explicit LineReader(std::istream* input) : input_(input), chunk_(new char[kChunkBytes]) {}

  // False at the end. *too_long: `line` is only the beginning.
  bool Next(std::string_view* line, bool* too_long) {
    rest_.clear();
    *too_long = false;
    bool ended = false;
    while (!ended) {
      if (at_ == end_ && !Fill()) break;
      const char* begin = chunk_.get() + at_;
      const auto* feed = static_cast<const char*>(std::memchr(begin, '\n', end_ - at_));
      const size_t length = feed != nullptr ? static_cast<size_t>(feed - begin) : end_ - at_;
      at_ += length + (feed != nullptr ? 1 : 0);
      if (feed != nullptr && rest_.empty()) {
        *line = {begin, length};
        return true;
      }
      if (length > kMaxTraceLineBytes - rest_.size()) {
        *too_long = true;
      } else if (!*too_long) {
        rest_.append(begin, length);
      }
      ended = feed != nullptr;
    }
    *line = rest_;
    return ended || *too_long || !rest_.empty();
  }
  uint64_t bytes() const { return bytes_; }

 private:
  bool Fill() {
    if (!input_->good()) return false;
    input_->read(chunk_.get(), kChunkBytes);
    at_ = 0;
    end_ = static_cast<size_t>(input_->gcount());
    bytes_ += end_;
    return end_ > 0;
  }

  std::istream* input_;
  std::unique_ptr<char[]> chunk_;
  size_t at_ = 0, end_ = 0;
  std::string rest_;  // of a line that spans chunks
  uint64_t bytes_ = 0;
};

std::string WhyNothing(const TraceReadSummary& summary) {
  if (summary.bytes == 0) return "the trace is empty; expected a JSON object on each line";
  if (summary.malformed.empty()) return "the trace holds blank lines only; expected a JSON object on each line";
  return fmt::format("none of {} lines is a request; {}", summary.lines, summary.malformed.front());
}

}  // namespace

absl::StatusOr<TraceReadSummary> ReadTraceFrom(std::istream& input, const TraceReadOptions& options,
                                               const TraceVisitor& visit,
                                               const std::function<void(uint64_t)>& progress) {
  TraceReadSummary summary;
  TraceRequest request;
  LineReader reader(&input);
  std::string_view line;
  uint64_t reported = 0;
  for (bool too_long = false; reader.Next(&line, &too_long);) {
    if (options.max_requests != 0 && summary.requests == options.max_requests) break;
    ++summary.lines;
    summary.bytes = reader.bytes();
    if (progress && summary.bytes != reported) progress(reported = summary.bytes);
    if (!too_long && line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    const absl::Status parsed =
        too_long ? absl::InvalidArgumentError(fmt::format("longer than {} bytes", kMaxTraceLineBytes))
                 : ParseTraceLineInto(line, options.block_tokens, &request);
    if (parsed.ok()) {
      ++summary.requests;
      RETURN_IF_ERROR(visit(request));
      continue;
    }
    const std::string what = fmt::format("line {}: {}", summary.lines, std::string(parsed.message()));
    if (options.strict) return absl::InvalidArgumentError(what);
    if (++summary.malformed_lines <= kShownMalformedLines) summary.malformed.push_back(what);
  }
  if (input.bad()) return absl::DataLossError(fmt::format("reading failed after {} bytes", reader.bytes()));
  summary.bytes = reader.bytes();
  if (summary.requests == 0) return absl::InvalidArgumentError(WhyNothing(summary));
  return summary;
}

absl::StatusOr<TraceReadSummary> ReadTraceFile(const std::string& path, const TraceReadOptions& options,
                                               const TraceVisitor& visit, const ProgressSink& progress) {
  struct stat info {};
  std::ifstream file;
  file.rdbuf()->pubsetbuf(nullptr, 0);  // Chunks are large enough.
  file.open(path, std::ios::binary);
  if (!file || ::stat(path.c_str(), &info) != 0 || S_ISDIR(info.st_mode)) {
    return absl::NotFoundError(fmt::format("cannot read the trace {}: {}", path,
                                           S_ISDIR(info.st_mode) ? "it is a folder" : std::strerror(errno)));
  }
  absl::StatusOr<TraceReadSummary> summary = ReadTraceFrom(file, options, visit, [&](uint64_t bytes) {
    Show(progress, "reading", bytes, static_cast<uint64_t>(info.st_size));
  });
  if (summary.ok()) return summary;
  return absl::Status(summary.status().code(),
                      fmt::format("trace {}: {}", path, std::string(summary.status().message())));
}

}  // namespace incipit::bench
