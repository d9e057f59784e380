// Placement over nodes against a file written when version 1 of docs/placement.md was made.
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cache/format/identity.h"
#include "cluster/placement/cluster_placement.h"
#include "cluster/placement/neg_log2.h"
#include "tests/support/golden_file.h"

namespace incipit {
namespace {

// Node i of a sample cluster of `count`.
PlacementNode SampleNode(uint64_t i, uint64_t count) {
  return {0x0123456789abcdef * (i + 1) + count, static_cast<uint32_t>(1 + i * i * 7 % 50),
          static_cast<uint32_t>(i % 4)};
}

TEST(ClusterPlacementGolden, NegLog2IsAsTheFileSays) {
  std::string text = "# h neglog2(h), decimal\n";
  const auto add = [&](uint64_t h) { absl::StrAppend(&text, h, " ", NegLog2(h), "\n"); };
  for (int bit = 0; bit < 64; ++bit) {
    const uint64_t power = uint64_t{1} << bit;
    for (const uint64_t h : {power - 1, power, power | power >> 1, 0x9e3779b97f4a7c15 >> bit}) add(h);
  }
  for (uint64_t below = 1; below != 0; below <<= 3) add(0 - below);
  golden::ExpectFile("cluster/neg_log2.txt", text);
}

// Lines of: seed, number of nodes, framed identity, its hash, owners of three copies, best first.
TEST(ClusterPlacementGolden, BlocksArePlacedAsTheFileSays) {
  std::string text =
      "# Node i of n: id = 0x0123456789abcdef * (i + 1) + n, weight = 1 + 7 * i * i % 50, zone = i % 4 (0: none).\n"
      "# placement_seed n framed_identity hash owners of three copies, as i\n";
  PlacementSeed seed{};
  for (const uint64_t count : {1, 2, 3, 8, 64, 1000}) {
    std::vector<PlacementNode> nodes;
    for (uint64_t i = 0; i < count; ++i) nodes.push_back(SampleNode(i, count));
    const auto placement = ClusterPlacement::Make(seed, 1, nodes);
    ASSERT_TRUE(placement.ok()) << placement.status();
    for (int key = 0; key < 16; ++key) {
      const NamespaceIdentity name_space{.tenant = "acme", .model = "deepseek-v3"};
      std::array<uint8_t, kMaxFramedIdentityBytes> buffer;
      const ByteView framed = FrameIdentity(FrameNamespace(name_space), static_cast<GroupIndex>(key % 2), 0,
                                            AsBytes(absl::StrCat("key-", key)), &buffer);
      const uint64_t hash = placement->HashOf(framed);
      absl::StrAppend(&text, golden::Hex(seed), " ", count, " ", golden::Hex(framed), " ", hash, " ",
                      absl::StrJoin(placement->OwnersOf(hash, 3), " "), "\n");
    }
    for (uint8_t& byte : seed) byte = static_cast<uint8_t>(3 * byte + 1 + (&byte - seed.data()));
  }
  golden::ExpectFile("cluster/placement.txt", text);
}

}  // namespace
}  // namespace incipit
