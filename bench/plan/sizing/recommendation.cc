#include "bench/plan/sizing/recommendation.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

#include "eviction/policies.h"

namespace incipit::bench {
namespace {

constexpr uint64_t kGiB = uint64_t{1} << 30;
constexpr uint64_t kLeastNvmeGiB = 16;  // room for some regions of each shard on any number of cores

// A shard decides by this one alone as well as one of the whole tier would, but for the room that it has.
constexpr const char* kLearnsNothing = "lru";

uint64_t GiBFor(uint64_t bytes, uint32_t nodes) {
  const uint64_t step = kGiB * nodes;
  return std::max<uint64_t>(1, (bytes + step - 1) / step);
}

}  // namespace

std::optional<size_t> BestOf(const std::vector<Choice>& choices) {
  const auto rank = [&](size_t i) {
    const RowSizing& sizing = *choices[i].sizing;
    return std::tuple(sizing.slo_in_reach && sizing.EnduranceHolds(), sizing.NetDollarsPerHour());
  };
  std::optional<size_t> best;
  for (size_t i = 0; i < choices.size(); ++i) {
    if (!choices[i].sizing->has_rates) continue;
    if (!best.has_value() || rank(i) > rank(*best)) best = i;
  }
  return best;
}

std::vector<std::string> NotesOn(const Choice& choice) {
  const RowSizing& sizing = *choice.sizing;
  std::vector<std::string> notes;
  if (choice.policy != kLearnsNothing) {
    notes.push_back(
        fmt::format("nodes of several shards hit somewhat less by {} than this forecast of one shard says: "
                    "`incipit replay --against` measures how much",
                    choice.policy));
  }
  if (!sizing.slo_in_reach) {
    notes.push_back(
        "the SLO is out of reach of any tier: computing what is not held takes longer; the number of nodes "
        "is that which loses next to nothing against an endless tier");
  }
  if (!sizing.EnduranceHolds()) {
    notes.push_back(fmt::format("the drives wear out in {:.1f} years at the rate of writes of this workload",
                                sizing.nvme_life_years));
  }
  if (sizing.NetDollarsPerHour() <= 0)
    notes.push_back("at these prices the tier costs more than the GPU hours it saves");
  return notes;
}

std::string ServeCommand(const Choice& choice) {
  const RowSizing& sizing = *choice.sizing;
  std::string command = fmt::format("incipit serve --ram {}GiB", GiBFor(sizing.ram_bytes, sizing.nodes_for_slo));
  if (sizing.nvme_bytes > 0) {
    command += fmt::format(" --nvme /var/lib/incipit --nvme-bytes {}GiB",
                           std::max(kLeastNvmeGiB, GiBFor(sizing.nvme_bytes, sizing.nodes_for_slo)));
  }
  return choice.policy == kDefaultPolicy ? command : command + " --eviction " + choice.policy;
}

}  // namespace incipit::bench
