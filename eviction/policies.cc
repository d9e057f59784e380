#include "eviction/policies.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "eviction/arc.h"
#include "eviction/auto_policy.h"
#include "eviction/fifo.h"
#include "eviction/gdsf.h"
#include "eviction/gil.h"
#include "eviction/leaf_first_lru.h"
#include "eviction/lfu.h"
#include "eviction/s3_fifo.h"
#include "eviction/sieve.h"
#include "eviction/w_tiny_lfu.h"

namespace incipit {
namespace {

using Made = std::unique_ptr<Policy>;

// How strongly gil-cost follows cost.
constexpr double kCostExponent = 1;

Made MakeLfuKept(const PolicyOptions& options) {
  return std::make_unique<Lfu>(
      LfuOptions{.kept_counts = std::min(kMaxGhosts, kGhostsPerBlock * options.capacity_blocks)});
}

Made MakeGil(const PolicyOptions& options) {
  return std::make_unique<GilPolicy>(GilOptions{.capacity_blocks = options.capacity_blocks, .seed = options.seed});
}

Made MakeGilCost(const PolicyOptions& options) {
  return std::make_unique<GilPolicy>(GilOptions{.capacity_blocks = options.capacity_blocks,
                                                .seed = options.seed,
                                                .cost_exponent = kCostExponent,
                                                .cost = options.cost});
}

Made MakeAuto(const PolicyOptions& options) {
  AutoOptions duel{.capacity_blocks = options.capacity_blocks, .by_flops = options.by_flops, .cost = options.cost};
  duel.contestants.push_back(MakeLeafFirstLru());
  duel.contestants.push_back(MakeGil(options));
  duel.contestants.push_back(MakeLfuKept(options));
  if (options.by_flops) duel.contestants.push_back(MakeGilCost(options));
  return std::make_unique<AutoPolicy>(std::move(duel));
}

struct Named {
  const char* name;
  Made (*make)(const PolicyOptions& options);
};
constexpr Named kPolicies[] = {
    {"fifo", [](const PolicyOptions&) -> Made { return std::make_unique<Fifo>(); }},
    {"lru", [](const PolicyOptions&) -> Made { return MakeLeafFirstLru(); }},
    {"lfu", [](const PolicyOptions&) -> Made { return std::make_unique<Lfu>(LfuOptions{}); }},
    {"lfu-kept", MakeLfuKept},
    {"s3-fifo",
     [](const PolicyOptions& options) -> Made {
       return std::make_unique<S3Fifo>(S3FifoOptions{.capacity_blocks = options.capacity_blocks});
     }},
    {"sieve", [](const PolicyOptions&) -> Made { return std::make_unique<Sieve>(); }},
    {"arc", [](const PolicyOptions& options) -> Made { return std::make_unique<Arc>(options.capacity_blocks); }},
    {"w-tinylfu",
     [](const PolicyOptions& options) -> Made { return std::make_unique<WTinyLfu>(options.capacity_blocks); }},
    {"gdsf", [](const PolicyOptions& options) -> Made { return std::make_unique<Gdsf>(options.cost); }},
    {"gil", MakeGil},
    {"gil-cost", MakeGilCost},
    {"auto", MakeAuto},
};

}  // namespace

std::vector<std::string> PolicyNames() {
  std::vector<std::string> names;
  for (const Named& named : kPolicies) names.emplace_back(named.name);
  return names;
}

absl::StatusOr<std::unique_ptr<Policy>> MakePolicy(std::string_view name, const PolicyOptions& options) {
  for (const Named& named : kPolicies) {
    if (name == named.name) return named.make(options);
  }
  return absl::NotFoundError(
      absl::StrCat("no policy is named \"", std::string(name), "\"; known: ", absl::StrJoin(PolicyNames(), ", ")));
}

}  // namespace incipit
