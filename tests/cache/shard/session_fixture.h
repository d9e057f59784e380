// A node in virtual time and clients that send it frames one by one.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "tests/support/blocks.h"
#include "tests/support/sim_node.h"
#include "tests/support/wire_client.h"

namespace incipit::testing {

class SessionFixture : public ::testing::Test {
 protected:
  SessionFixture()
      : random_(MakeSeededRandom(1)), network_(&loop_, random_.get()), node_(&loop_, &network_, random_.get()) {
    options_.store.ram_bytes = 8 << 20;
  }
  void Start() { ASSERT_TRUE(node_.Start(options_, {nullptr}).ok()); }
  std::unique_ptr<WireClient> Connect() {
    auto client = std::make_unique<WireClient>(&loop_, &network_, "node");
    EXPECT_TRUE(client->SayHello().ok());
    EXPECT_TRUE(client->Open(layout_).ok());
    return client;
  }
  // The keys stay views into `keys`.
  wire::Store StoreOf(const std::vector<std::vector<uint8_t>>& keys, std::vector<uint8_t>* payload,
                      uint64_t version = 0) {
    wire::Store store;
    for (const auto& key : keys) {
      const auto bytes = PayloadOf(key, layout_.groups[0].BlockBytes(), version);
      wire::StoredBlock block;
      block.key.key = key;
      block.segments = SegmentsOf(layout_.groups[0], bytes);
      store.blocks.push_back(block);
      AppendStored(bytes, block.segments, payload);
    }
    return store;
  }
  std::vector<wire::BlockStatus> StoreBlocks(WireClient* client, const std::vector<std::vector<uint8_t>>& keys,
                                             uint64_t version = 0) {
    std::vector<uint8_t> payload;
    const wire::Store store = StoreOf(keys, &payload, version);
    auto answer = client->Call(wire::FrameType::kStore, store, payload);
    EXPECT_TRUE(answer.ok()) << answer.status();
    auto reply = wire::StatusReply::Decode(answer->meta);
    EXPECT_TRUE(reply.ok()) << reply.status() << WireClient::ErrorOf(*answer);
    return reply.ok() ? reply->statuses : std::vector<wire::BlockStatus>{};
  }
  // The keys stay views into `keys`.
  wire::Load LoadOf(const std::vector<std::vector<uint8_t>>& keys) {
    wire::Load load;
    for (const auto& key : keys) load.keys.push_back({0, 0, 0, key});
    return load;
  }
  absl::Status ErrorFor(WireClient* client, wire::FrameType type, const std::vector<uint8_t>& meta,
                        const std::vector<uint8_t>& payload = {}) {
    absl::Status sent = client->SendFrame(type, 99, meta, payload);
    EXPECT_TRUE(sent.ok()) << sent;
    auto answer = client->Receive();
    return answer.ok() ? WireClient::ErrorOf(*answer) : answer.status();
  }
  bool StillServes(WireClient* client) {
    auto answer = client->SendFrame(wire::FrameType::kPing, 5, {});
    auto pong = client->Receive();
    return answer.ok() && pong.ok() && pong->header.type == wire::FrameType::kPong;
  }

  SimLoop loop_;
  std::unique_ptr<Random> random_;
  MemNetwork network_;
  Layout layout_ = SmallLayout();
  ShardOptions options_;
  SimNode node_;
};

}  // namespace incipit::testing
