// A client core and a fake node in virtual time, on one in-memory network, from one seed.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "cache/runtime/sim_loop.h"
#include "client/src/core/client_core.h"
#include "tests/client/src/core/fake_node.h"
#include "transport/mem/mem_network.h"

namespace incipit {

// A small model: 16 tokens a block, 4 segments of 64 bytes.
inline Layout SmallLayout() {
  Layout layout{.name = "small"};
  layout.groups.push_back({.name = "latent", .block_tokens = 16, .layers = 4, .bytes_per_entry = 4});
  return layout;
}

// Key and payload of block `index` of chain `chain`; every byte depends on both and on its place.
inline BlockKey KeyOf(uint64_t chain, uint64_t index) {
  std::vector<uint8_t> bytes(32);
  auto random = MakeSeededRandom(chain * 1'000'003 + index);
  random->Fill(bytes);
  return BlockKey(bytes);
}
inline std::vector<uint8_t> PayloadOf(const BlockKey& key, uint64_t bytes) {
  std::vector<uint8_t> payload(bytes);
  auto random = MakeSeededRandom(Xxh3Of(key.bytes()));
  random->Fill(payload);
  return payload;
}

class ClientFixture {
 public:
  static constexpr const char* kAddress = "mem://node";

  explicit ClientFixture(uint64_t seed_value, Layout layout = SmallLayout())
      : seed(seed_value), random(MakeSeededRandom(seed_value)), network(&loop, random.get()) {
    options.address = kAddress;
    options.model = "small-model";
    options.layout = std::move(layout);
    MakeNode();
  }
  ~ClientFixture() {
    network.Freeze(kAddress, false);
    network.set_faults({});
    if (client != nullptr) loop.Run(client->Stop());
    client.reset();
    if (node != nullptr) loop.Run(node->Stop());
  }

  void MakeNode() {
    node = std::make_unique<FakeNode>(&loop, *network.Listen(kAddress));
    node->Start();
  }
  // What kill -9 looks like. The blocks are lost with it.
  void KillNode() {
    network.Kill(kAddress);
    loop.Run(node->Stop());
    node.reset();
  }
  void Connect() {
    connector = network.MakeConnector();
    client = std::make_unique<ClientCore>(&loop, connector.get(), random.get(), options);
    client->Start();
  }
  void ConnectAndWait() {
    Connect();
    const absl::Status connected = loop.Run(client->WaitConnected());
    ASSERT_TRUE(connected.ok()) << connected;
  }

  const GroupSpec& group(size_t g = 0) const { return options.layout.groups[g]; }
  std::vector<BlockKey> Keys(uint64_t chain, size_t count) const {
    std::vector<BlockKey> keys;
    for (size_t i = 0; i < count; ++i) keys.push_back(KeyOf(chain, i));
    return keys;
  }

  // Stores blocks [0, count) of a chain in group 0 through the client.
  absl::StatusOr<StatusResult> StoreChain(uint64_t chain, size_t count, bool offer_first = true) {
    std::vector<BlockKey> keys = Keys(chain, count);
    std::vector<std::vector<uint8_t>> payloads;
    StoreRequest request;
    request.offer_first = offer_first;
    for (size_t i = 0; i < count; ++i) {
      payloads.push_back(PayloadOf(keys[i], group().BlockBytes()));
      request.items.push_back({.depth_tokens = static_cast<uint32_t>(i * group().block_tokens),
                               .key = keys[i].bytes(),
                               .buffer = {payloads[i].data(), payloads[i].size()}});
    }
    return loop.Run(client->Store(std::move(request)));
  }

  struct Loaded {
    absl::StatusOr<LoadResult> result;
    uint64_t wrong_blocks = 0;  // reported as hits with other bytes than were stored
  };
  Loaded LoadChain(uint64_t chain, size_t count, uint32_t deadline_ms = 0, uint16_t first = 0,
                   uint16_t segments = wire::kAllSegments) {
    std::vector<BlockKey> keys = Keys(chain, count);
    const uint32_t in_range = std::min<uint32_t>(segments, group().SegmentCount() - first);
    const uint64_t bytes = in_range * group().SegmentBytes();
    std::vector<std::vector<uint8_t>> buffers(count, std::vector<uint8_t>(bytes, 0xee));
    LoadRequest request;
    request.first_segment = first;
    request.segment_count = segments;
    request.deadline_ms = deadline_ms;
    for (size_t i = 0; i < count; ++i) {
      request.items.push_back({.depth_tokens = static_cast<uint32_t>(i * group().block_tokens),
                               .key = keys[i].bytes(),
                               .buffer = {buffers[i].data(), bytes}});
    }
    Loaded loaded{loop.Run(client->Load(std::move(request)))};
    if (!loaded.result.ok()) return loaded;
    const std::vector<std::vector<uint8_t>> at_the_end = buffers;
    for (size_t i = 0; i < count; ++i) {
      if (loaded.result->status[i] != BlockStatus::kOk) continue;
      const std::vector<uint8_t> whole = PayloadOf(keys[i], group().BlockBytes());
      const uint64_t start = first * group().SegmentBytes();
      loaded.wrong_blocks +=
          !std::equal(buffers[i].begin(), buffers[i].end(), whole.begin() + static_cast<int64_t>(start));
    }
    // Nothing may come later.
    loop.RunUntil(loop.NowNs() + 50'000'000);
    EXPECT_EQ(buffers, at_the_end) << "written after the call had ended, seed " << seed;
    return loaded;
  }

  absl::StatusOr<MatchResult> MatchChain(uint64_t chain, size_t count, uint32_t lease_ms = 0,
                                         uint32_t deadline_ms = 0) {
    const std::vector<BlockKey> keys = Keys(chain, count);
    MatchRequest request;
    request.groups = {KeyList(keys)};
    request.lease_ms = lease_ms;
    request.deadline_ms = deadline_ms;
    return loop.Run(client->Match(std::move(request)));
  }

  uint64_t seed;
  SimLoop loop;
  std::unique_ptr<Random> random;
  MemNetwork network;
  ClientOptions options;
  std::unique_ptr<FakeNode> node;
  std::unique_ptr<Connector> connector;
  std::unique_ptr<ClientCore> client;
};

}  // namespace incipit
