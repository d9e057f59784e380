// A node and clients of it on one lane, and blocks that verify themselves.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <vector>

#include "client/src/core/client_core.h"
#include "tests/conformance/faulty_connector.h"
#include "tests/conformance/lane_node.h"
#include "tests/conformance/lanes.h"
#include "tests/support/blocks.h"
#include "tests/support/tenants.h"

namespace incipit::conformance {

// A client with its connector.
struct TestClient {
  std::unique_ptr<FaultyConnector> connector;
  std::unique_ptr<ClientCore> core;
  StreamFaults& faults() { return connector->faults; }
};

// Consecutive blocks of group 0 in memory of the lane.
struct Blocks {
  std::vector<std::vector<uint8_t>> keys;
  std::vector<MutableBytes> payloads, buffers;  // what is stored; where loads go
};

inline std::shared_ptr<const SealingKey> KeyOfSeed(uint8_t seed) {
  std::vector<uint8_t> bytes(SealingKey::kBytes, 0x5a);
  bytes[0] = seed;
  return *SealingKey::FromBytes(bytes);
}

class ConformanceTest : public ::testing::TestWithParam<LaneCase> {
 protected:
  ConformanceTest() : lane_(GetParam().make()), random_(MakeSeededRandom(3)), node_(lane_.get()) {
    layout_ = testing::SmallLayout(4, 4096);  // segments of 64 KiB, blocks of 256 KiB
    options_.store.ram_bytes = 32 << 20;
  }
  ~ConformanceTest() override {
    for (auto& client : clients_) {
      client->faults().Set(StreamFaults::kNone, 0);
      lane_->Run(client->core->Stop());
    }
    clients_.clear();
    node_.Stop();
  }

  void SetUp() override {
    if (const absl::Status missing = lane_->Missing(); !missing.ok()) GTEST_SKIP() << missing.message();
  }

  void StartNode(uint64_t nvme_bytes = 0) {
    const absl::Status started = node_.Start(options_, nvme_bytes, tenants_);
    ASSERT_TRUE(started.ok()) << started;
  }
  TestClient* Connect(const std::string& tenant = "default", std::shared_ptr<const SealingKey> sealing_key = nullptr) {
    ClientOptions options;
    options.address = lane_->address();
    options.tenant = tenant;
    if (tenants_ != nullptr) options.secret = testing::SecretOf(tenant);
    options.model = "model";
    options.layout = layout_;
    options.sealing_key = std::move(sealing_key);
    options.codec = codec_;
    options.reconnect_min_ms = options.reconnect_max_ms = 1;
    options.breaker_failures = 1'000'000;
    options.connect_timeout_ms = options.default_deadline_ms = Lane::patience_ms();
    auto client = std::make_unique<TestClient>();
    client->connector = std::make_unique<FaultyConnector>(lane_->loop(), lane_->MakeConnector());
    client->core =
        std::make_unique<ClientCore>(lane_->loop(), client->connector.get(), random_.get(), std::move(options));
    client->core->Start();
    const absl::Status connected = lane_->Run(client->core->WaitConnected());
    EXPECT_TRUE(connected.ok()) << connected;
    clients_.push_back(std::move(client));
    return clients_.back().get();
  }

  const GroupSpec& group() const { return layout_.groups[0]; }
  Blocks MakeBlocks(uint64_t first, size_t count, uint64_t version = 0) {
    Blocks blocks;
    for (size_t i = 0; i < count; ++i) {
      blocks.keys.push_back(testing::KeyOf(first + i));
      const std::vector<uint8_t> bytes = testing::PayloadOf(blocks.keys[i], group().BlockBytes(), version);
      blocks.payloads.push_back(lane_->Allocate(bytes.size()));
      std::copy(bytes.begin(), bytes.end(), blocks.payloads[i].begin());
      blocks.buffers.push_back(lane_->Allocate(bytes.size()));
    }
    return blocks;
  }
  std::vector<BlockStatus> Store(TestClient* client, const Blocks& blocks, bool offer_first = true,
                                 uint32_t deadline_ms = 0) {
    StoreRequest request{.deadline_ms = deadline_ms, .offer_first = offer_first};
    for (size_t i = 0; i < blocks.keys.size(); ++i) {
      request.items.push_back({.depth_tokens = static_cast<uint32_t>(i * group().block_tokens),
                               .key = blocks.keys[i],
                               .buffer = {blocks.payloads[i].data(), blocks.payloads[i].size()}});
    }
    absl::StatusOr<StatusResult> result = lane_->Run(client->core->Store(std::move(request)));
    return result.ok() ? result->status : std::vector<BlockStatus>(blocks.keys.size(), BlockStatus::kExpired);
  }
  LoadRequest LoadOf(const Blocks& blocks, uint32_t deadline_ms = 0) const {
    LoadRequest request{.deadline_ms = deadline_ms};
    for (size_t i = 0; i < blocks.keys.size(); ++i) {
      request.items.push_back({.depth_tokens = static_cast<uint32_t>(i * group().block_tokens),
                               .key = blocks.keys[i],
                               .buffer = {blocks.buffers[i].data(), blocks.buffers[i].size()}});
    }
    return request;
  }
  // Every hit must have the right bytes; gives the statuses.
  std::vector<BlockStatus> Load(TestClient* client, const Blocks& blocks, uint32_t deadline_ms = 0) {
    for (const MutableBytes buffer : blocks.buffers) std::fill(buffer.begin(), buffer.end(), uint8_t{0xee});
    absl::StatusOr<LoadResult> result = lane_->Run(client->core->Load(LoadOf(blocks, deadline_ms)));
    EXPECT_TRUE(result.ok()) << result.status();
    for (size_t i = 0; i < blocks.keys.size(); ++i) {
      if (result->status[i] == BlockStatus::kOk) {
        EXPECT_TRUE(std::ranges::equal(blocks.buffers[i], blocks.payloads[i])) << "wrong bytes in block " << i;
      }
    }
    return result->status;
  }
  // Cuts the client's connection at several places of stores and of loads: after each the blocks can be stored and
  // loaded. `after_cut` looks at them when a store was cut.
  void CutInsideLoadsAndStores(
      TestClient* client, std::initializer_list<uint64_t> places,
      const std::function<Blocks(uint64_t first, size_t count)>& make,
      const std::function<void(const Blocks&)>& after_cut = [](const Blocks&) {}) {
    uint64_t first = 0;
    for (const uint64_t place : places) {
      const Blocks blocks = make(first, 12);
      first += blocks.keys.size();
      client->faults().Set(StreamFaults::kCutWrites, place);
      Store(client, blocks, /*offer_first=*/false, 2000);
      client->faults().Set(StreamFaults::kNone, 0);
      after_cut(blocks);
      StoreAll(client, blocks);
      client->faults().Set(StreamFaults::kCutReads, place);
      Load(client, blocks, 2000);
      client->faults().Set(StreamFaults::kNone, 0);
      EXPECT_TRUE(lane_->RunUntil([&] {
        return std::ranges::all_of(Load(client, blocks), [](BlockStatus of) { return of == BlockStatus::kOk; });
      })) << "cut after "
          << place;
    }
    EXPECT_GT(client->faults().cuts, places.size());
  }
  // Loads every range of layers of blocks that are stored.
  void ExpectEveryRangeOfLayers(TestClient* client, const Blocks& blocks) {
    const auto layers = static_cast<uint16_t>(group().SegmentCount());
    for (uint16_t first = 0; first < layers; ++first) {
      for (uint16_t count = 1; count <= layers - first; ++count) {
        const uint64_t begin = first * group().SegmentBytes(), bytes = count * group().SegmentBytes();
        LoadRequest request = LoadOf(blocks);
        request.first_segment = first;
        request.segment_count = first + count == layers ? wire::kAllSegments : count;
        for (size_t i = 0; i < request.items.size(); ++i) {
          std::fill(blocks.buffers[i].begin(), blocks.buffers[i].end(), uint8_t{0xee});
          request.items[i].buffer.iov_len = bytes;
        }
        const auto result = lane_->Run(client->core->Load(std::move(request)));
        ASSERT_TRUE(result.ok()) << result.status();
        EXPECT_EQ(result->hits, blocks.keys.size()) << "layers " << first << " + " << count;
        for (size_t i = 0; i < blocks.keys.size(); ++i) {
          EXPECT_TRUE(std::ranges::equal(blocks.buffers[i].first(bytes), blocks.payloads[i].subspan(begin, bytes)));
          const MutableBytes behind = blocks.buffers[i].subspan(bytes);
          EXPECT_TRUE(std::ranges::all_of(behind, [](uint8_t byte) { return byte == 0xee; })) << "written too far";
        }
      }
    }
  }
  // Stores until memory was found for all of them, on NVMe too.
  void StoreAll(TestClient* client, const Blocks& blocks) {
    const auto is_there = [](BlockStatus of) { return of == BlockStatus::kOk || of == BlockStatus::kPresent; };
    for (int tries = 0; tries < 100; ++tries) {
      if (std::ranges::all_of(Store(client, blocks), is_there)) return;
      lane_->RunFor(5'000'000);
    }
    ADD_FAILURE() << "not all could be stored";
  }
  std::vector<Presence> Match(TestClient* client, const Blocks& blocks, uint32_t lease_ms = 0) {
    MatchRequest request;
    std::vector<BlockKey> keys;
    for (const auto& key : blocks.keys) keys.emplace_back(key);
    request.groups = {KeyList(keys)};
    request.lease_ms = lease_ms;
    absl::StatusOr<MatchResult> result = lane_->Run(client->core->Match(std::move(request)));
    EXPECT_TRUE(result.ok()) << result.status();
    return result->presence[0];
  }
  // Nothing is held for blocks that nobody can find, and nothing is pinned: what a client that died must not leave.
  void ExpectNothingLeaked() {
    const ShardReport report = node_.shard()->Report();
    EXPECT_EQ(report.pinned_bytes, 0u);
    EXPECT_EQ(report.loads_in_progress, 0u);
    EXPECT_EQ(report.load_bytes_in_progress, 0u);
    const uint64_t blocks = report.gauges.arena.allocations;
    EXPECT_EQ(blocks, report.gauges.blocks_in_ram) << "memory of blocks that are in no table";
  }

  std::unique_ptr<Lane> lane_;
  std::unique_ptr<Random> random_;
  Layout layout_;
  std::string codec_;  // of clients that connect
  ShardOptions options_;
  TenantTableRef tenants_;  // none: everybody is served
  LaneNode node_;
  std::vector<std::unique_ptr<TestClient>> clients_;
};

inline std::string LaneName(const ::testing::TestParamInfo<LaneCase>& info) { return info.param.name; }
#define INCIPIT_ON_EVERY_LANE(suite) INSTANTIATE_TEST_SUITE_P(Lanes, suite, ::testing::ValuesIn(kLanes), LaneName)

}  // namespace incipit::conformance
