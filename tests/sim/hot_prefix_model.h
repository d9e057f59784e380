// Many workers that load one short prefix over and over: what it does to them, and what hot copies do about it. The
// placement of the product over a model of shards and links. docs/scale_model.md says what is in it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <queue>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cache/base/mix64.h"
#include "cache/seams/random.h"
#include "client/src/cluster_route.h"
#include "tests/support/blocks.h"
#include "transport/wire/placement.h"

namespace incipit::testing {

struct HotPrefixOptions {
  uint64_t nodes = 16, shards_per_node = 16;
  uint64_t workers = 200;
  uint64_t prefix_blocks = 32;  // of the hot one, and of each cold one: 2,048 tokens
  uint64_t block_bytes = 64 * 70'272;
  double loads_per_s = 5;              // of each worker, with random pauses
  double cold_share = 0.02;            // of loads that are for another prefix each
  double shard_bytes_per_s = 3.1e9;    // of a shard's thread on tcp
  double worker_bytes_per_s = 12.5e9;  // of a worker's link, 100 Gb/s
  double request_s = 34e-6;            // round trip and processor for each request to a shard
  // Hot copies. A shard counts what it sends of each block in windows; a block that takes more than hot_share of the
  // shard's time gets as many copies as bring it below that, at most max_copies, its own included. It is told with the
  // next reply, so readers learn it from that; they store the copies, and choose among copies at random.
  uint64_t max_copies = 1;
  bool by_waits = true;  // false: any copy, at random
  double window_s = 0.5;
  double hot_share = 0.1;
  double seconds = 10;
  uint64_t seed = 1;
};

struct HotPrefixResult {
  std::vector<double> hot_p99_s;  // by second from the start of the overload
  std::vector<double> hot_p50_s;
  double cold_median_s = 0;  // of loads of cold prefixes before the overload
  uint64_t copies = 0;       // of the blocks of the hot prefix in the end, their first included
  // The first second from which on all are within `factor` of the cold median; the run's length if none.
  double WithinFrom(double factor) const {
    size_t from = hot_p99_s.size();
    while (from > 0 && hot_p99_s[from - 1] <= factor * cold_median_s) --from;
    return static_cast<double>(from);
  }
};

class HotPrefixModel {
 public:
  explicit HotPrefixModel(const HotPrefixOptions& options)
      : options_(options),
        random_(MakeSeededRandom(options.seed)),
        shards_(options.nodes * options.shards_per_node),
        waited_s_(options.workers * shards_.size()) {
    MakePlacement();
    for (uint64_t i = 0; i < options_.prefix_blocks; ++i) hot_.push_back(Block{KeyOf(i), {}, 0, 0, 1});
    for (Block& block : hot_) block.shards = ShardsOf(block.key, options_.max_copies);
  }

  HotPrefixResult Run() {
    HotPrefixResult result;
    result.cold_median_s = ColdMedian();
    std::fill(shards_.begin(), shards_.end(), 0);
    // Times at which workers ask next; who asks is served in that order.
    using Ask = std::pair<double, size_t>;
    std::priority_queue<Ask, std::vector<Ask>, std::greater<>> asks;
    for (size_t i = 0; i < options_.workers; ++i) asks.push({Pause(), i});
    std::vector<std::vector<double>> hot(static_cast<size_t>(options_.seconds));
    while (!asks.empty()) {
      const auto [now_s, worker] = asks.top();
      asks.pop();
      if (now_s >= options_.seconds) continue;
      const bool cold = Unit() < options_.cold_share;
      const double took_s = cold ? LoadCold(now_s) : LoadHot(now_s, worker);
      if (!cold) hot[static_cast<size_t>(now_s)].push_back(took_s);
      asks.push({now_s + took_s + Pause(), worker});
    }
    for (std::vector<double>& second : hot) {
      std::sort(second.begin(), second.end());
      result.hot_p50_s.push_back(second.empty() ? 0 : second[second.size() / 2]);
      result.hot_p99_s.push_back(second.empty() ? 0 : second[second.size() * 99 / 100]);
    }
    for (const Block& block : hot_) result.copies += block.copies;
    return result;
  }

 private:
  struct Block {
    std::vector<uint8_t> key;
    std::vector<size_t> shards;  // of its copies, in the placement's order
    double window_start_s = 0;
    double window_s = 0;  // of shard time, since then
    uint64_t copies = 1;
  };

  double Unit() { return static_cast<double>(random_->Below(1u << 30)) / (1u << 30); }
  double Pause() { return 2 * Unit() / options_.loads_per_s; }

  void MakePlacement() {
    auto map = std::make_shared<ClusterMap>();
    map->placement_seed[0] = static_cast<uint8_t>(options_.seed);
    for (uint64_t i = 0; i < options_.nodes; ++i) {
      ClusterNode node;
      node.id = Mix64(options_.seed * 1000 + i);
      node.addresses = {absl::StrCat("tcp://10.0.0.", i, ":9400")};
      map->nodes.push_back(node);
    }
    std::sort(map->nodes.begin(), map->nodes.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
    route_ = std::make_unique<ClusterRoute>(*ClusterRoute::Over(map, FrameNamespace({"default", "deepseek-v3", {}})));
    for (uint64_t i = 0; i < options_.nodes; ++i) {
      in_node_.emplace_back(std::array<uint8_t, 16>{}, route_->NodeAt(i).id,
                            static_cast<uint16_t>(options_.shards_per_node));
    }
  }

  std::vector<size_t> ShardsOf(ByteView key, uint64_t copies) const {
    std::array<uint8_t, kMaxFramedIdentityBytes> buffer;
    const ByteView framed = FrameIdentity(route_->framed_namespace, 0, 0, key, &buffer);
    std::vector<size_t> shards;
    for (const size_t node : route_->placement.OwnersOf(route_->placement.HashOf(framed), copies)) {
      shards.push_back(node * options_.shards_per_node + in_node_[node].ShardOf(framed));
    }
    return shards;
  }

  // A shard serves in order of arrival; gives when the block has left it.
  double Serve(size_t shard, double now_s) {
    const double service_s = static_cast<double>(options_.block_bytes) / options_.shard_bytes_per_s;
    shards_[shard] = std::max(shards_[shard], now_s + options_.request_s) + service_s;
    return shards_[shard];
  }
  // Blocks arrive over the worker's link one after the other.
  double Arrive(std::vector<double> sent_s, double now_s) const {
    std::sort(sent_s.begin(), sent_s.end());
    double link_s = now_s;
    for (const double s : sent_s) {
      link_s = std::max(s, link_s + static_cast<double>(options_.block_bytes) / options_.worker_bytes_per_s);
    }
    return link_s - now_s;
  }

  double LoadCold(double now_s) {
    std::vector<double> sent_s;
    const uint64_t prompt = random_->Next();
    for (uint64_t i = 0; i < options_.prefix_blocks; ++i)
      sent_s.push_back(Serve(ShardsOf(KeyOf(prompt + i), 1)[0], now_s));
    return Arrive(std::move(sent_s), now_s);
  }

  double LoadHot(double now_s, size_t worker) {
    std::vector<double> sent_s;
    for (Block& block : hot_) {
      const size_t shard = Choose(block, worker);
      sent_s.push_back(Serve(shard, now_s));
      waited_s_[worker * shards_.size() + shard] = static_cast<float>(sent_s.back() - now_s);
      Count(&block, now_s);
    }
    return Arrive(std::move(sent_s), now_s);
  }

  size_t Choose(const Block& block, size_t worker) {
    const size_t one = block.shards[random_->Below(block.copies)];
    if (!options_.by_waits) return one;
    const size_t other = block.shards[random_->Below(block.copies)];
    const float* waited_s = waited_s_.data() + worker * shards_.size();
    return waited_s[other] < waited_s[one] ? other : one;
  }

  // What the owner does with each read, and the reader when it is told of more copies: it stores them.
  void Count(Block* block, double now_s) {
    block->window_s += static_cast<double>(options_.block_bytes) / options_.shard_bytes_per_s;
    if (now_s - block->window_start_s < options_.window_s) return;
    const double share = block->window_s / (now_s - block->window_start_s);
    const auto wanted = static_cast<uint64_t>(share / options_.hot_share) + 1;
    const uint64_t copies = std::min<uint64_t>({wanted, options_.max_copies, block->shards.size()});
    for (uint64_t i = block->copies; i < copies; ++i) Serve(block->shards[i], now_s);
    block->copies = std::max<uint64_t>(copies, 1);
    block->window_start_s = now_s;
    block->window_s = 0;
  }

  double ColdMedian() {
    std::vector<double> took_s;
    for (int i = 0; i < 501; ++i) took_s.push_back(LoadCold(i));
    std::nth_element(took_s.begin(), took_s.begin() + 250, took_s.end());
    return took_s[250];
  }

  HotPrefixOptions options_;
  std::unique_ptr<Random> random_;
  std::unique_ptr<ClusterRoute> route_;
  std::vector<wire::Placement> in_node_;
  std::vector<double> shards_;   // when each has nothing more to send
  std::vector<float> waited_s_;  // by worker and shard, when it last asked there
  std::vector<Block> hot_;
};

}  // namespace incipit::testing
