// Input: a cluster map, or the record of one node, as JSON. What is accepted keeps all limits and is read back from its
// own encoding as the same.
#include <string_view>

#include "cluster/membership/cluster_map_json.h"
#include "tests/fuzz/check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto map = incipit::DecodeClusterMap(text);
  if (map.ok()) {
    FUZZ_CHECK(incipit::CheckClusterMap(*map).ok(), "an accepted map keeps the limits");
    const std::string again = incipit::EncodeClusterMap(*map);
    FUZZ_CHECK(again.size() <= incipit::kMaxClusterMapBytes, "an encoded map fits its limit");
    const auto read = incipit::DecodeClusterMap(again);
    FUZZ_CHECK(read.ok() && *read == *map, "a map is read back");
    std::vector<size_t> owners;
    const auto placement = incipit::PlacementOver(*map, &owners);
    if (placement.ok()) FUZZ_CHECK(placement->OwnerOf(uint64_t{1}) < owners.size(), "somebody owns a block");
  } else {
    FUZZ_CHECK(!map.status().message().empty(), "a refusal says why");
  }
  const auto node = incipit::DecodeClusterNode(text);
  if (node.ok()) {
    const auto read = incipit::DecodeClusterNode(incipit::EncodeClusterNode(*node));
    FUZZ_CHECK(read.ok() && *read == *node, "a node is read back");
  }
  return 0;
}
