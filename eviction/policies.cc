#include "eviction/policies.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "eviction/arc.h"
#include "eviction/auto_policy.h"
#include "eviction/cut_follower.h"
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
constexpr const char* kAuto = "auto";  // its contestants follow cuts

Made MakeLfuKept(const PolicyOptions& options) {
  return std::make_unique<Lfu>(LfuOptions{.kept_counts = GhostsFor(options.capacity_blocks, kMaxGhosts)});
}

Made MakeGilWith(const PolicyOptions& options, double cost_exponent) {
  GilOptions gil{.capacity_blocks = options.capacity_blocks,
                 .seed = options.seed,
                 .cost_exponent = cost_exponent,
                 .cost = options.cost};
  const std::string name = cost_exponent > 0 ? "gil-cost" : "gil";
  std::shared_ptr<ReuseModel> alone;
  std::shared_ptr<ReuseModel>& model = options.models != nullptr ? (*options.models)[name] : alone;
  if (options.peers != nullptr) {
    if (model == nullptr) {
      model = NewReuseModel(options.capacity_blocks, options.peers->shards(), options.peers->Reuse(name));
    }
  } else if (model == nullptr) {
    model = NewReuseModel(options.capacity_blocks, options.sees_one_in);
  }
  gil.model = model;
  return std::make_unique<GilPolicy>(gil);
}

Made MakeGil(const PolicyOptions& options) { return MakeGilWith(options, 0); }
Made MakeGilCost(const PolicyOptions& options) { return MakeGilWith(options, kCostExponent); }

// Where other shards hold parts of the same prompts, what they cut off goes first.
Made Follow(const PolicyOptions& options, Made made) {
  if (options.peers == nullptr) return made;
  const std::string part = absl::StrCat(options.part, "/", std::string(made->name()));
  return std::make_unique<CutFollower>(std::move(made), options.peers->Cuts(part));
}

Made MakeAuto(const PolicyOptions& options) {
  std::vector<Made> contestants;
  contestants.push_back(MakeLeafFirstLru());
  contestants.push_back(MakeGil(options));
  if (options.by_flops) contestants.push_back(MakeGilCost(options));
  AutoOptions duel{.capacity_blocks = options.capacity_blocks,
                   .by_flops = options.by_flops,
                   .cost = options.cost,
                   .shards = options.sees_one_in};
  for (Made& made : contestants) duel.contestants.push_back(Follow(options, std::move(made)));
  if (options.peers != nullptr) {
    duel.shards = options.peers->shards();
    duel.board = options.peers->Duel(options.part);
  }
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
    {kAuto, MakeAuto},
};

}  // namespace

std::vector<std::string> PolicyNames() {
  std::vector<std::string> names;
  for (const Named& named : kPolicies) names.emplace_back(named.name);
  return names;
}

absl::StatusOr<std::unique_ptr<Policy>> MakePolicy(std::string_view name, const PolicyOptions& options) {
  for (const Named& named : kPolicies) {
    if (name != named.name) continue;
    Made made = named.make(options);
    return name == kAuto ? std::move(made) : Follow(options, std::move(made));
  }
  return absl::NotFoundError(
      absl::StrCat("no policy is named \"", std::string(name), "\"; known: ", absl::StrJoin(PolicyNames(), ", ")));
}

}  // namespace incipit
