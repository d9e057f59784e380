// A node of two shards and several clients of it in virtual time, for tests of claims and waits.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "client/src/core/client_core.h"
#include "tests/support/blocks.h"
#include "tests/support/sim_node.h"

namespace incipit {

class FlightFixture : public ::testing::Test {
 protected:
  FlightFixture()
      : random_(MakeSeededRandom(1)), network_(&loop_, random_.get()), node_(&loop_, &network_, random_.get()) {}
  ~FlightFixture() override {
    for (auto& client : clients_) {
      if (client != nullptr) loop_.Run(client->Stop());
    }
    clients_.clear();
    node_.Stop();
  }
  void Start(size_t keys, ShardOptions options = {}) {
    options.store.ram_bytes = 8 << 20;
    ASSERT_TRUE(node_.Start(options, {nullptr, nullptr}).ok());
    for (size_t i = 0; i < keys; ++i) keys_.emplace_back(testing::KeyOf(i));
  }
  // The client's number.
  size_t AddClient() {
    ClientOptions options;
    options.address = node_.address();
    options.model = "model";
    options.layout = layout_;
    connectors_.push_back(network_.MakeConnector());
    clients_.push_back(std::make_unique<ClientCore>(&loop_, connectors_.back().get(), random_.get(), options));
    clients_.back()->Start();
    EXPECT_TRUE(loop_.Run(clients_.back()->WaitConnected()).ok());
    return clients_.size() - 1;
  }
  void Kill(size_t client) {
    loop_.Run(clients_[client]->Stop());
    clients_[client].reset();
  }
  MatchResult Match(size_t client, uint32_t claim_ms = 1000) {
    MatchRequest request;
    request.groups = {KeyList(keys_)};
    request.claim_ms = claim_ms;
    auto result = loop_.Run(clients_[client]->Match(std::move(request)));
    EXPECT_TRUE(result.ok()) << result.status();
    return *std::move(result);
  }
  WaitRequest WaitFor(uint64_t have_tokens, uint32_t claim_ms, uint32_t deadline_ms) const {
    WaitRequest request;
    request.groups = {KeyList(keys_)};
    request.have_tokens = have_tokens;
    request.claim_ms = claim_ms;
    request.deadline_ms = deadline_ms;
    return request;
  }
  MatchResult Wait(size_t client, uint64_t have_tokens = 0, uint32_t claim_ms = 1000, uint32_t deadline_ms = 500) {
    auto result = loop_.Run(clients_[client]->Wait(WaitFor(have_tokens, claim_ms, deadline_ms)));
    EXPECT_TRUE(result.ok()) << result.status();
    return *std::move(result);
  }
  // Stores blocks [first, end).
  void Store(size_t client, size_t first, size_t end) {
    StoreRequest request;
    std::vector<std::vector<uint8_t>> payloads;
    for (size_t i = first; i < end; ++i) {
      payloads.push_back(testing::PayloadOf(keys_[i].bytes(), layout_.groups[0].BlockBytes()));
      request.items.push_back({.depth_tokens = static_cast<uint32_t>(i * 16),
                               .key = keys_[i].bytes(),
                               .buffer = {payloads.back().data(), payloads.back().size()}});
    }
    auto result = loop_.Run(clients_[client]->Store(std::move(request)));
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_EQ(result->Count(BlockStatus::kOk), end - first);
  }
  template <typename Field>
  uint64_t Sum(Field field) {
    uint64_t sum = 0;
    for (size_t i = 0; i < node_.shard_count(); ++i) sum += field(*node_.shard(i)->claims());
    return sum;
  }
  uint64_t Claimed() {
    return Sum([](const ClaimTable& table) { return table.claimed_blocks(); });
  }
  uint64_t Granted() {
    return Sum([](const ClaimTable& table) { return table.counters().granted; });
  }
  uint64_t Watched() {
    return Sum([](const ClaimTable& table) { return table.watched_keys(); });
  }
  void Pass(int64_t ms) { loop_.RunUntil(loop_.NowNs() + ms * 1'000'000); }

  SimLoop loop_;
  std::unique_ptr<Random> random_;
  MemNetwork network_;
  Layout layout_ = testing::SmallLayout();
  testing::SimNode node_;
  std::vector<BlockKey> keys_;
  std::vector<std::unique_ptr<Connector>> connectors_;
  std::vector<std::unique_ptr<ClientCore>> clients_;
};

}  // namespace incipit
