#include "client/cli/top/hot_prefixes.h"

#include <algorithm>
#include <map>
#include <tuple>

#include "absl/strings/escaping.h"

namespace incipit {
namespace {

uint64_t EndOf(const wire::HottestBlock& block) { return uint64_t{block.depth_tokens} + block.block_tokens; }

// Of blocks [first, last), which are not none.
HotPrefix PrefixOf(const SeenBlock* const* first, const SeenBlock* const* last) {
  HotPrefix prefix{.tenant = (*first)->tenant, .model = (*first)->model};
  const SeenBlock* deepest = *first;
  for (const SeenBlock* const* each = first; each != last; ++each) {
    const wire::HottestBlock& block = (*each)->block;
    // Blocks of several groups end at the same token: by key, so that the name does not alternate.
    const auto place = [](const SeenBlock& seen) { return std::tuple(EndOf(seen.block), seen.block.key_start); };
    if (place(**each) > place(*deepest)) deepest = *each;
    ++prefix.blocks;
    prefix.bytes_per_s += block.bytes_per_s;
    prefix.copies = std::max(prefix.copies, block.copies);
    prefix.nodes.push_back((*each)->node);
  }
  std::sort(prefix.nodes.begin(), prefix.nodes.end());
  prefix.nodes.erase(std::unique(prefix.nodes.begin(), prefix.nodes.end()), prefix.nodes.end());
  prefix.tokens = EndOf(deepest->block);
  const auto& key = deepest->block.key_start;
  prefix.key_start = absl::BytesToHexString({reinterpret_cast<const char*>(key.data()), key.size()});
  return prefix;
}

}  // namespace

std::vector<HotPrefix> HottestPrefixes(const std::vector<SeenBlock>& blocks) {
  std::map<std::tuple<std::string, std::string, uint64_t>, std::vector<const SeenBlock*>> prompts;
  for (const SeenBlock& seen : blocks) prompts[{seen.tenant, seen.model, seen.block.stamp_ns}].push_back(&seen);
  std::vector<HotPrefix> prefixes;
  for (auto& [key, prompt] : prompts) {
    std::stable_sort(prompt.begin(), prompt.end(), [](const SeenBlock* a, const SeenBlock* b) {
      return a->block.bytes_per_s > b->block.bytes_per_s;
    });
    for (size_t first = 0; first < prompt.size();) {
      const uint64_t half = prompt[first]->block.bytes_per_s / 2;
      size_t last = first;
      while (last < prompt.size() && prompt[last]->block.bytes_per_s >= half) ++last;
      prefixes.push_back(PrefixOf(prompt.data() + first, prompt.data() + last));
      first = last;
    }
  }
  std::stable_sort(prefixes.begin(), prefixes.end(),
                   [](const HotPrefix& a, const HotPrefix& b) { return a.bytes_per_s > b.bytes_per_s; });
  return prefixes;
}

}  // namespace incipit
