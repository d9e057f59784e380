// Blocks of latents, which shrink, and clients that code them.
#pragma once

#include <algorithm>
#include <random>
#include <string>
#include <utility>

#include "tests/conformance/conformance_test_base.h"
#include "tests/support/latents.h"

namespace incipit::conformance {

class LatentTest : public ConformanceTest {
 protected:
  static constexpr uint32_t kChannels = 576;

  LatentTest() {
    layout_ = testing::SmallLayout(4, 2 * kChannels, /*block_tokens=*/64);
  }  // segments of 72 KiB, blocks of 288 KiB

  TestClient* ConnectCoding(const std::string& codec, std::shared_ptr<const SealingKey> sealing_key = nullptr) {
    codec_ = codec;
    TestClient* client = Connect("default", std::move(sealing_key));
    codec_.clear();
    return client;
  }
  // Blocks of values as engines keep them, from a seed. Every seventh is noise, which does not shrink.
  Blocks MakeLatents(uint64_t first, size_t count) {
    Blocks blocks = MakeBlocks(first, count);
    for (size_t i = 0; i < count; ++i) {
      std::mt19937_64 random(first + i);
      if ((first + i) % 7 == 6) continue;
      const std::vector<uint8_t> rows =
          testing::Bf16Rows(group().BlockBytes() / (2 * kChannels), kChannels, /*sigma=*/0.5, random);
      std::copy(rows.begin(), rows.end(), blocks.payloads[i].begin());
    }
    return blocks;
  }
  void CutConnectionsInsideLatents(TestClient* client) {
    CutInsideLoadsAndStores(client, {0, 100, 1500, 70'000, 1'500'000},
                            [this](uint64_t first, size_t count) { return MakeLatents(first, count); });
    EXPECT_TRUE(lane_->RunUntil([&] { return node_.shard()->Report().sessions <= 1; }));
    ExpectNothingLeaked();
  }
  void ExpectNothingWrong(TestClient* client) {
    const ClientCounters& counters = client->core->counters();
    EXPECT_EQ(counters.forged_segments + counters.damaged_segments + counters.refused_blocks, 0u);
    EXPECT_EQ(counters.protocol_errors, 0u);
  }
};

}  // namespace incipit::conformance
