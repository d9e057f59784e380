#include "bench/replay/trace.h"

#include <algorithm>
#include <array>
#include <sstream>

#include "absl/container/flat_hash_set.h"
#include "bench/replay/trace_reader.h"
#include "cache/base/status_macros.h"
#include "cache/base/xxh3.h"

namespace incipit::bench {
namespace {

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

TraceReadOptions ReadOptionsFrom(const TraceOptions& options) {
  return {.block_tokens = options.block_tokens, .strict = true, .max_requests = options.max_requests};
}

absl::Status Take(const TraceRequest& request, const TraceOptions& options, Trace* trace) {
  trace->requests.push_back(request);
  if (options.rekey) ChainIds(&trace->requests.back().ids);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Trace> ParseTrace(std::string_view text, const TraceOptions& options) {
  std::istringstream input{std::string(text)};
  Trace trace;
  RETURN_IF_ERROR(ReadTraceFrom(input, ReadOptionsFrom(options), [&](const TraceRequest& request) {
                    return Take(request, options, &trace);
                  }).status());
  Summarize(&trace);
  return trace;
}

absl::StatusOr<Trace> ReadTrace(const std::string& path, const TraceOptions& options) {
  Trace trace;
  RETURN_IF_ERROR(ReadTraceFile(path, ReadOptionsFrom(options), [&](const TraceRequest& request) {
                    return Take(request, options, &trace);
                  }).status());
  Summarize(&trace);
  return trace;
}

}  // namespace incipit::bench
