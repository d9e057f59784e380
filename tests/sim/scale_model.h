// How long a large cluster takes to load one long prefix: the placement of the product over a model of links and
// processors. docs/scale_model.md says what is in it, what is not, and where the numbers come from.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cache/base/mix64.h"
#include "client/src/cluster_route.h"
#include "tests/support/blocks.h"
#include "transport/wire/placement.h"

namespace incipit::testing {

struct ScaleOptions {
  uint64_t nodes = 64, shards_per_node = 16;
  uint64_t receivers = 64;  // links that the prefix is loaded over, each its part of the blocks
  uint64_t blocks = 15'625;
  uint64_t block_bytes = 64 * 70'272;
  uint64_t piece_bytes = 2 << 20;  // of one reply frame (ShardLimits.load_chunk_bytes)
  double link_bytes_per_s = 50e9;  // 400 Gb/s, each way
  double link_goodput = 0.97;      // what headers of Ethernet, IP, RoCE and frames leave
  double round_trip_s = 20e-6;
  double request_s = 17e-6;          // of a client's processor for each request to a shard
  double place_block_s = 0.53e-6;    // ClusterPlacement over 64 nodes and the hash
  double node_block_s = 10e-6;       // of a shard's processor for each block that it sends
  double verify_bytes_per_s = 60e9;  // of a receiver: four cores at 15 GB/s
  uint64_t copies = 1;               // of each block; reads go to the copy whose node has the least to send
  uint64_t seed = 1;
};

struct ScaleResult {
  double ideal_s = 0;    // all bytes over all links, nothing else
  double load_s = 0;     // until the last block has been verified
  double node_skew = 0;  // bytes of the busiest node over the mean
  double efficiency() const { return ideal_s / load_s; }
};

class ScaleModel {
 public:
  explicit ScaleModel(const ScaleOptions& options) : options_(options) {}

  ScaleResult Run() {
    const std::vector<std::vector<Piece>> by_node = Ask();
    std::vector<std::vector<double>> arrivals(options_.receivers);
    double most_bytes = 0;
    for (const auto& pieces : by_node) {
      double bytes = 0;
      for (const Piece& piece : pieces) bytes += piece.bytes;
      most_bytes = std::max(most_bytes, bytes);
      SendFrom(pieces, &arrivals);
    }
    ScaleResult result;
    const double all_bytes = static_cast<double>(options_.blocks * options_.block_bytes);
    result.node_skew = most_bytes * static_cast<double>(options_.nodes) / all_bytes;
    result.ideal_s =
        all_bytes / (options_.link_bytes_per_s * static_cast<double>(std::min(options_.nodes, options_.receivers)));
    for (auto& receiver : arrivals) result.load_s = std::max(result.load_s, Receive(&receiver));
    return result;
  }

 private:
  struct Piece {
    size_t receiver = 0;
    size_t shard = 0;
    double bytes = 0;
    double asked_s = 0;
    bool first = false;  // of its block
  };

  ClusterRoute Route() const {
    auto map = std::make_shared<ClusterMap>();
    map->placement_seed[0] = static_cast<uint8_t>(options_.seed);
    map->placement_seed[1] = static_cast<uint8_t>(options_.seed >> 8);
    for (uint64_t i = 0; i < options_.nodes; ++i) {
      ClusterNode node;
      node.id = Mix64(options_.seed * 1000 + i);
      node.shards = static_cast<uint16_t>(options_.shards_per_node);
      node.addresses = {absl::StrCat("ucx://10.0.0.", i, ":9410")};
      map->nodes.push_back(node);
    }
    std::sort(map->nodes.begin(), map->nodes.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
    return *ClusterRoute::Over(map, FrameNamespace({"default", "deepseek-v3", {}}));
  }

  // Who is asked for what, and when the request is there: a client places all its blocks, and then sends one request
  // after the other, each with the blocks that it wants of one shard.
  std::vector<std::vector<Piece>> Ask() const {
    const ClusterRoute route = Route();
    std::vector<wire::Placement> shards;
    for (uint64_t i = 0; i < options_.nodes; ++i) {
      shards.emplace_back(std::array<uint8_t, 16>{}, route.NodeAt(i).id,
                          static_cast<uint16_t>(options_.shards_per_node));
    }
    std::vector<std::vector<Piece>> by_node(options_.nodes);
    std::vector<double> to_send(options_.nodes, 0);
    std::vector<uint64_t> requests(options_.receivers, 0);
    const double placed_s =
        options_.place_block_s * static_cast<double>(options_.copies * options_.blocks / options_.receivers);
    for (uint64_t block = 0; block < options_.blocks; ++block) {
      const std::vector<uint8_t> key = KeyOf(options_.seed * 1'000'000 + block);
      std::array<uint8_t, kMaxFramedIdentityBytes> buffer;
      const ByteView framed = FrameIdentity(route.framed_namespace, 0, 0, key, &buffer);
      const auto owners = route.placement.OwnersOf(route.placement.HashOf(framed), options_.copies);
      const size_t node =
          *std::min_element(owners.begin(), owners.end(), [&](size_t a, size_t b) { return to_send[a] < to_send[b]; });
      to_send[node] += static_cast<double>(options_.block_bytes);
      const size_t receiver = block % options_.receivers;
      const double asked_s =
          placed_s + options_.request_s * static_cast<double>(++requests[receiver]) + options_.round_trip_s / 2;
      uint64_t left = options_.block_bytes;
      while (left > 0) {
        const uint64_t bytes = std::min(left, options_.piece_bytes);
        by_node[node].push_back({receiver, shards[node].ShardOf(framed), static_cast<double>(bytes), asked_s,
                                 left == options_.block_bytes});
        left -= bytes;
      }
    }
    return by_node;
  }

  // A node's link takes pieces in the order in which its shards have them ready; each shard works through its own in
  // order. When the last byte of each is at its receiver goes to `arrivals`, as time and bytes by turns.
  void SendFrom(std::vector<Piece> pieces, std::vector<std::vector<double>>* arrivals) const {
    std::stable_sort(pieces.begin(), pieces.end(),
                     [](const Piece& a, const Piece& b) { return a.asked_s < b.asked_s; });
    std::vector<double> shard_free_s(options_.shards_per_node, 0);
    std::vector<std::pair<double, size_t>> ready;
    for (size_t i = 0; i < pieces.size(); ++i) {
      double& free_s = shard_free_s[pieces[i].shard];
      free_s = std::max(free_s, pieces[i].asked_s) + (pieces[i].first ? options_.node_block_s : 0);
      ready.push_back({free_s, i});
    }
    std::sort(ready.begin(), ready.end());
    const double rate = options_.link_bytes_per_s * options_.link_goodput;
    double link_free_s = 0;
    for (const auto& [ready_s, i] : ready) {
      link_free_s = std::max(link_free_s, ready_s) + pieces[i].bytes / rate;
      (*arrivals)[pieces[i].receiver].push_back(link_free_s + options_.round_trip_s / 2);
      (*arrivals)[pieces[i].receiver].push_back(pieces[i].bytes);
    }
  }

  // What many nodes send at once queues before the receiver's link; each piece is verified when it is there.
  double Receive(std::vector<double>* arrivals) const {
    std::vector<std::pair<double, double>> pieces;
    for (size_t i = 0; i < arrivals->size(); i += 2) pieces.push_back({(*arrivals)[i], (*arrivals)[i + 1]});
    std::sort(pieces.begin(), pieces.end());
    const double rate = options_.link_bytes_per_s * options_.link_goodput;
    double link_s = 0, verified_s = 0;
    for (const auto& [arrived_s, bytes] : pieces) {
      // The link began to take the piece while the node was still sending it.
      link_s = std::max(arrived_s, link_s + bytes / rate);
      verified_s = std::max(link_s, verified_s) + bytes / options_.verify_bytes_per_s;
    }
    return verified_s;
  }

  ScaleOptions options_;
};

}  // namespace incipit::testing
