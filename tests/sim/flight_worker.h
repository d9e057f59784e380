// A worker of the single-flight simulation: needs the blocks of one prompt, computes what nobody else computes, waits
// for the rest, and checks every byte that it loads.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "cache/runtime/sim_loop.h"
#include "client/src/core/client_core.h"
#include "tests/support/blocks.h"
#include "transport/mem/mem_network.h"

namespace incipit::testing {

// What the workers of one simulation share and have seen.
struct FlightWorld {
  static constexpr int64_t kMs = 1'000'000;
  static constexpr uint32_t kClaimMs = 300;
  static constexpr uint32_t kShortestWaitMs = 50, kLongestWaitMs = 700;  // shorter and longer than a lease
  // Delays of the network, and the batches in which a node tells what has landed.
  static constexpr int64_t kSlackNs = 100 * kMs;

  SimLoop loop;
  Layout layout = SmallLayout(4, 64);
  MemNetwork* network = nullptr;
  Random* random = nullptr;
  bool frozen = false;            // nobody reaches the node, so what a wait knows may be old
  int64_t computing_now = 0;      // workers that are alive and at it
  int64_t last_computing_ns = 0;  // when one of them last stopped, or what it had sent last reached the node
  uint64_t computed = 0, loaded = 0, waits = 0, takeovers = 0, expired = 0;
};

class FlightWorker {
 public:
  using Prompt = std::vector<std::vector<uint8_t>>;  // keys

  FlightWorker(FlightWorld* world, const std::string& address, Prompt prompt, int64_t block_ns)
      : world_(world), prompt_(std::move(prompt)), block_ns_(block_ns), connector_(world->network->MakeConnector()) {
    for (const auto& key : prompt_) keys_.emplace_back(ByteView(key));
    ClientOptions options;
    options.address = address;
    options.model = "model";
    options.layout = world->layout;
    options.default_deadline_ms = 400;
    client_ = std::make_unique<ClientCore>(&world->loop, connector_.get(), world->random, options);
    client_->Start();
  }

  // Until it has all blocks, or is dead.
  Task<void> Work() {
    Task<absl::StatusOr<MatchResult>> matching = client_->Match(MatchOf());
    absl::StatusOr<MatchResult> match = co_await matching;
    if (!match.ok()) ADD_FAILURE() << match.status();
    if (match.ok() && match->flight == Flight::kClaimed) world_->last_computing_ns = world_->loop.NowNs();
    while (match.ok() && !dead_) {
      Task<void> loading = LoadUpTo(match->longest_tokens() / kBlockTokens);
      co_await loading;
      if (have_ == prompt_.size() || dead_) break;
      if (match->flight == Flight::kComputing) {
        Task<absl::StatusOr<MatchResult>> waiting = Wait();
        match = co_await waiting;
        continue;
      }
      claim_ = std::move(match->claim);
      Task<void> computing = Compute(match->flight == Flight::kClaimed);
      co_await computing;
      if (!hung_) claim_.Release();
    }
    done_ns_ = world_->loop.NowNs();
  }

  // kill -9: its connections end with it.
  Task<void> Kill() {
    Die();
    Task<void> stopping = client_->Stop();
    co_await stopping;
    stopped_ = true;
  }
  // Alive to the network, and never does anything again.
  void Hang() {
    Die();
    hung_ = true;
  }
  Task<void> Stop() {
    if (stopped_) co_return;
    Task<void> stopping = client_->Stop();
    co_await stopping;
  }

  bool complete() const { return have_ == prompt_.size(); }
  bool dead() const { return dead_; }
  bool computing() const { return computing_; }
  int64_t done_ns() const { return done_ns_; }
  uint64_t computed() const { return computed_; }
  ClientCore* client() { return client_.get(); }

 private:
  static constexpr uint64_t kBlockTokens = 16;

  MatchRequest MatchOf() const {
    MatchRequest request;
    request.groups = {KeyList(keys_)};
    request.claim_ms = FlightWorld::kClaimMs;
    return request;
  }

  Task<absl::StatusOr<MatchResult>> Wait() {
    WaitRequest request;
    request.groups = {KeyList(keys_)};
    request.have_tokens = have_ * kBlockTokens;
    request.claim_ms = FlightWorld::kClaimMs;
    const uint32_t wait_ms =
        FlightWorld::kShortestWaitMs +
        static_cast<uint32_t>(world_->random->Below(FlightWorld::kLongestWaitMs - FlightWorld::kShortestWaitMs));
    request.deadline_ms = wait_ms;
    const int64_t start_ns = world_->loop.NowNs();
    ++world_->waits;
    Task<absl::StatusOr<MatchResult>> waiting = client_->Wait(std::move(request));
    absl::StatusOr<MatchResult> result = co_await waiting;
    const int64_t now_ns = world_->loop.NowNs();
    EXPECT_LE(now_ns - start_ns, wait_ms * FlightWorld::kMs + FlightWorld::kSlackNs) << "outlived its deadline";
    if (result.ok() && result->flight == Flight::kClaimed) {
      ++world_->takeovers;
      world_->last_computing_ns =
          now_ns;  // a worker may hang while its claim is on the way: the lease counts from here
    }
    if (result.ok() && result->flight == Flight::kComputing && result->longest_tokens() <= have_ * kBlockTokens) {
      ++world_->expired;
      // It waited in vain, so somebody alive must have been computing until shortly before.
      const int64_t lease_ns = FlightWorld::kClaimMs * FlightWorld::kMs;
      EXPECT_TRUE(world_->computing_now > 0 || world_->frozen ||
                  now_ns - world_->last_computing_ns <= lease_ns + FlightWorld::kSlackNs)
          << "waited for a worker that was dead for longer than its lease: last seen " << world_->last_computing_ns
          << " ns, now " << now_ns << " ns, waited since " << start_ns << " ns";
    }
    co_return result;
  }

  Task<void> Compute(bool claimed) {
    computing_ = true;
    ++world_->computing_now;
    while (have_ < prompt_.size() && !dead_) {
      co_await SleepUntil(&world_->loop, world_->loop.NowNs() + block_ns_);
      if (dead_) break;
      if (claimed) claim_.Renew();
      std::vector<uint8_t> payload = PayloadOf(prompt_[have_], world_->layout.groups[0].BlockBytes());
      StoreItem item;
      item.key = prompt_[have_];
      item.depth_tokens = static_cast<uint32_t>(have_ * kBlockTokens);
      item.buffer = {payload.data(), payload.size()};
      StoreRequest request;
      request.items = {item};
      request.offer_first = false;
      Task<absl::StatusOr<StatusResult>> storing = client_->Store(std::move(request));
      const absl::StatusOr<StatusResult> stored = co_await storing;
      if (stored.ok() && stored->Count(BlockStatus::kConflict) > 0) ADD_FAILURE() << "other bytes were stored";
      ++have_;
      ++computed_;
      ++world_->computed;
    }
    StopComputing();
  }

  void Die() {
    if (!std::exchange(dead_, true)) StopComputing();
  }
  void StopComputing() {
    if (!std::exchange(computing_, false)) return;
    --world_->computing_now;
    world_->last_computing_ns = world_->loop.NowNs();
  }

  // Loads from what it has on; stops at the first block that is not there any more.
  Task<void> LoadUpTo(uint64_t blocks) {
    if (blocks <= have_) co_return;
    const uint64_t bytes = world_->layout.groups[0].BlockBytes();
    std::vector<std::vector<uint8_t>> buffers(blocks - have_, std::vector<uint8_t>(bytes, 0xa5));
    LoadRequest request;
    for (uint64_t i = have_; i < blocks; ++i) {
      LoadItem item;
      item.key = prompt_[i];
      item.depth_tokens = static_cast<uint32_t>(i * kBlockTokens);
      item.buffer = {buffers[i - have_].data(), bytes};
      request.items.push_back(item);
    }
    Task<absl::StatusOr<LoadResult>> loading = client_->Load(std::move(request));
    const absl::StatusOr<LoadResult> result = co_await loading;
    if (!result.ok()) co_return;
    for (size_t i = 0; i < buffers.size() && result->status[i] == BlockStatus::kOk; ++i) {
      EXPECT_EQ(buffers[i], PayloadOf(prompt_[have_], bytes)) << "WRONG BYTES";
      ++have_;
      ++world_->loaded;
    }
  }

  FlightWorld* world_;
  Prompt prompt_;
  std::vector<BlockKey> keys_;
  int64_t block_ns_;
  std::unique_ptr<Connector> connector_;
  std::unique_ptr<ClientCore> client_;
  Claim claim_;
  uint64_t have_ = 0, computed_ = 0;
  int64_t done_ns_ = 0;
  bool dead_ = false, hung_ = false, stopped_ = false, computing_ = false;
};

}  // namespace incipit::testing
