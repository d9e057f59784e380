// Input: one line of a trace, as plan and replay read it from a file that anybody may have written.
#include <string_view>

#include "bench/replay/trace_line.h"
#include "tests/fuzz/check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using incipit::bench::TraceRequest;
  constexpr uint32_t kBlockTokens = 16;
  const std::string_view line(reinterpret_cast<const char*>(data), size);
  TraceRequest usual, any;
  const bool is_usual = incipit::bench::ParseUsualTraceLine(line, &usual);
  const absl::Status parsed = incipit::bench::ParseAnyTraceLine(line, &any);
  // An id takes a digit and a comma at least: memory stays in proportion to the input.
  FUZZ_CHECK(usual.ids.size() <= size && any.ids.size() <= size, "no more ids than the line has bytes");
  if (is_usual) {
    FUZZ_CHECK(parsed.ok(), "what the quick parser takes, the thorough one takes");
    FUZZ_CHECK(usual.timestamp_ms == any.timestamp_ms && usual.input_tokens == any.input_tokens &&
                   usual.output_tokens == any.output_tokens && usual.ids == any.ids,
               "both parsers read the same");
  }
  const absl::StatusOr<TraceRequest> request = incipit::bench::ParseTraceLine(line, kBlockTokens);
  if (!request.ok()) return 0;
  FUZZ_CHECK(request->ids.size() <= request->input_tokens / kBlockTokens + 1, "no more ids than the prompt has blocks");
  return 0;
}
