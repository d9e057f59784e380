// Generated workloads for what has no public trace: the same seed gives the same requests on every machine.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "bench/replay/trace_reader.h"

namespace incipit::bench {

// agentic, repository, tenants, flash-crowd, templates: in this order. Each is described beside its generator.
std::vector<std::string> WorkloadNames();

// Calls `visit` with each request in order of time; an error of its ends the generation. NotFound lists the known
// names. Any thread.
absl::Status GenerateWorkload(std::string_view name, uint64_t seed, uint32_t block_tokens, const TraceVisitor& visit);

}  // namespace incipit::bench
