#include "eviction/sim/trace.h"

#include <charconv>
#include <random>

#include "absl/strings/str_cat.h"
#include "cache/base/status_macros.h"

namespace incipit {
namespace {

constexpr std::string_view kBlank = " \t\r";

std::string_view SkipBlank(std::string_view text) {
  const size_t at = text.find_first_not_of(kBlank);
  return at == std::string_view::npos ? std::string_view() : text.substr(at);
}

// Takes a number off the front of `text`; false if there is none, or one over 64 bits.
bool TakeNumber(std::string_view* text, uint64_t* number) {
  *text = SkipBlank(*text);
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), *number);
  if (error != std::errc()) return false;
  text->remove_prefix(static_cast<size_t>(end - text->data()));
  return true;
}

// What follows `"name":`; empty if the field is missing.
std::string_view ValueOf(std::string_view line, std::string_view quoted_name) {
  const size_t at = line.find(quoted_name);
  if (at == std::string_view::npos) return {};
  const std::string_view rest = SkipBlank(line.substr(at + quoted_name.size()));
  return rest.empty() || rest[0] != ':' ? std::string_view() : SkipBlank(rest.substr(1));
}

bool TakeNumbers(std::string_view text, std::vector<uint64_t>* numbers) {
  if (text.empty() || text[0] != '[') return false;
  text = SkipBlank(text.substr(1));
  while (!text.empty() && text[0] != ']') {
    uint64_t number = 0;
    if (numbers->size() == kMaxTraceBlocks || !TakeNumber(&text, &number)) return false;
    numbers->push_back(number);
    text = SkipBlank(text);
    if (text.empty() || (text[0] != ',' && text[0] != ']')) return false;
    if (text[0] == ',') text.remove_prefix(1);
  }
  return !text.empty();
}

absl::StatusOr<TraceRequest> ParseLine(std::string_view line, size_t line_number) {
  TraceRequest request;
  std::string_view timestamp = ValueOf(line, "\"timestamp\"");
  std::string_view input_length = ValueOf(line, "\"input_length\"");
  const char* bad = nullptr;
  if (!TakeNumber(&timestamp, &request.timestamp_ms)) bad = "timestamp";
  if (!TakeNumber(&input_length, &request.input_tokens)) bad = "input_length";
  if (!TakeNumbers(ValueOf(line, "\"hash_ids\""), &request.block_hashes)) bad = "hash_ids";
  if (bad == nullptr) return request;
  return absl::InvalidArgumentError(absl::StrCat("trace: line ", line_number, ": field ", bad,
                                                 " is missing, no number, or too long; expected {\"timestamp\": MS, "
                                                 "\"input_length\": TOKENS, \"hash_ids\": [N, ...]}"));
}

}  // namespace

absl::StatusOr<Trace> ParseTrace(std::string_view text) {
  Trace trace;
  for (size_t line_number = 1; !text.empty(); ++line_number) {
    const size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    if (SkipBlank(line).empty()) continue;
    ASSIGN_OR_RETURN(TraceRequest request, ParseLine(line, line_number));
    trace.push_back(std::move(request));
  }
  return trace;
}

Trace MakeConversationTrace(const ConversationOptions& options, uint64_t block_tokens) {
  std::mt19937_64 random(options.seed);
  const auto up_to = [&](int limit) { return 1 + static_cast<int>(random() % static_cast<uint64_t>(limit)); };
  uint64_t next_hash = 1;
  std::vector<std::vector<uint64_t>> open;  // the prompts so far of sessions under way
  std::vector<int> turns_left;
  int started = 0;
  Trace trace;
  while (started < options.sessions || !open.empty()) {
    size_t session = random() % (open.size() + 4);
    if (session >= open.size()) {
      if (started == options.sessions) continue;
      ++started;
      session = open.size();
      open.push_back({0});
      turns_left.push_back(up_to(options.turns));
      for (int i = up_to(2 * options.first_blocks); i > 0; --i) open[session].push_back(next_hash++);
    } else {
      for (int i = up_to(2 * options.blocks_per_turn); i > 0; --i) open[session].push_back(next_hash++);
    }
    trace.push_back({trace.size() * 100, open[session].size() * block_tokens, open[session]});
    if (--turns_left[session] > 0) continue;
    open.erase(open.begin() + static_cast<std::ptrdiff_t>(session));
    turns_left.erase(turns_left.begin() + static_cast<std::ptrdiff_t>(session));
  }
  return trace;
}

}  // namespace incipit
