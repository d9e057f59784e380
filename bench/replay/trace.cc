#include "bench/replay/trace.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "absl/container/flat_hash_set.h"
#include "cache/base/xxh3.h"

namespace incipit::bench {
namespace {

using nlohmann::json;

absl::StatusOr<uint64_t> UnsignedField(const json& object, const char* name, bool required) {
  const auto found = object.find(name);
  if (found == object.end()) {
    if (!required) return uint64_t{0};
    return absl::InvalidArgumentError(fmt::format("no field \"{}\"", name));
  }
  if (found->is_number_unsigned()) return found->get<uint64_t>();
  if (found->is_number_float() && found->get<double>() >= 0 && found->get<double>() < 1e18) {
    return static_cast<uint64_t>(found->get<double>());
  }
  return absl::InvalidArgumentError(
      fmt::format("field \"{}\" is {}, expected a number of at least 0", name, found->dump()));
}

// Replaces ids of contents by ids of openings.
void ChainIds(std::vector<uint64_t>* ids) {
  uint64_t parent = 0;
  for (uint64_t& id : *ids) {
    const std::array<uint64_t, 2> message = {parent, id};
    id = parent = Xxh3Of({reinterpret_cast<const uint8_t*>(message.data()), sizeof(message)});
  }
}

void Summarize(Trace* trace) {
  absl::flat_hash_set<uint64_t> unique;
  for (const TraceRequest& request : trace->requests) {
    unique.insert(request.ids.begin(), request.ids.end());
    trace->block_references += request.ids.size();
    trace->input_tokens += request.input_tokens;
    trace->longest_chain = std::max<uint64_t>(trace->longest_chain, request.ids.size());
  }
  trace->unique_blocks = unique.size();
}

}  // namespace

absl::StatusOr<TraceRequest> ParseTraceLine(std::string_view line, uint32_t block_tokens) {
  const json object = json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!object.is_object()) return absl::InvalidArgumentError("not a JSON object");
  const absl::StatusOr<uint64_t> timestamp = UnsignedField(object, "timestamp", /*required=*/false);
  const absl::StatusOr<uint64_t> input = UnsignedField(object, "input_length", /*required=*/true);
  const absl::StatusOr<uint64_t> output = UnsignedField(object, "output_length", /*required=*/false);
  for (const auto* field : {&timestamp, &input, &output}) {
    if (!field->ok()) return field->status();
  }
  TraceRequest request{*timestamp, *input, *output, {}};
  const auto ids = object.find("hash_ids");
  if (ids == object.end() || !ids->is_array()) return absl::InvalidArgumentError("no array \"hash_ids\"");
  const uint64_t room = (request.input_tokens + block_tokens - 1) / block_tokens;
  if (ids->size() > room) {
    return absl::InvalidArgumentError(
        fmt::format("{} hash_ids for {} tokens, but at {} tokens a block there are only {}: is --block-tokens right?",
                    ids->size(), request.input_tokens, block_tokens, room));
  }
  for (const json& id : *ids) {
    if (!id.is_number_integer()) {
      return absl::InvalidArgumentError(fmt::format("hash_ids holds {}, expected integers", id.dump()));
    }
    request.ids.push_back(id.is_number_unsigned() ? id.get<uint64_t>() : static_cast<uint64_t>(id.get<int64_t>()));
  }
  return request;
}

absl::StatusOr<Trace> ParseTrace(std::string_view text, const TraceOptions& options) {
  Trace trace;
  uint64_t line_number = 0;
  while (!text.empty() && (options.max_requests == 0 || trace.requests.size() < options.max_requests)) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    ++line_number;
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    absl::StatusOr<TraceRequest> request = ParseTraceLine(line, options.block_tokens);
    if (!request.ok()) {
      return absl::InvalidArgumentError(
          fmt::format("line {}: {}", line_number, std::string(request.status().message())));
    }
    if (options.rekey) ChainIds(&request->ids);
    trace.requests.push_back(*std::move(request));
  }
  Summarize(&trace);
  return trace;
}

absl::StatusOr<Trace> ReadTrace(const std::string& path, const TraceOptions& options) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  if (!file) return absl::NotFoundError(fmt::format("cannot read the trace {}", path));
  absl::StatusOr<Trace> trace = ParseTrace(text.str(), options);
  if (!trace.ok()) {
    return absl::InvalidArgumentError(fmt::format("trace {}: {}", path, std::string(trace.status().message())));
  }
  return trace;
}

}  // namespace incipit::bench
