#include "tests/processes/flight_worker.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>

#include "cache/base/xxh3.h"
#include "tests/processes/node_process.h"

namespace incipit::campaign {
namespace {

constexpr size_t kKeyBytes = 32;
constexpr uint32_t kBlockTokens = 64;
constexpr uint32_t kWaitMs = 5000;
constexpr uint32_t kDeadlineMs = 20'000;
constexpr uint64_t kStepsOfWaiting = 64;  // a waiter asks so often for a prompt

void Fill(ByteView key, uint8_t* into, uint64_t bytes) {
  uint64_t word = Xxh3Of(key);
  for (uint64_t at = 0; at < bytes; at += sizeof(word)) {
    word = word * 6364136223846793005ull + 1442695040888963407ull;
    std::memcpy(into + at, &word, sizeof(word));
  }
}

void SleepUntilMs(double at_ms) {
  const double left_ms = at_ms - NowMs();
  if (left_ms > 0) usleep(static_cast<useconds_t>(left_ms * 1000));
}

}  // namespace

Layout FlightLayout() {
  Layout layout{.name = "flight"};
  layout.groups.push_back({.name = "latent", .block_tokens = kBlockTokens, .layers = 4, .bytes_per_entry = 16});
  return layout;
}

std::vector<uint8_t> FlightKey(uint64_t prompt, uint64_t index) {
  std::vector<uint8_t> key(kKeyBytes);
  const uint64_t words[] = {prompt, index, prompt * 0x9e3779b97f4a7c15ull + index, ~index};
  std::memcpy(key.data(), words, kKeyBytes);
  return key;
}

FlightWorker::FlightWorker(FlightPlanOfRun plan, FlightReport* report)
    : plan_(plan), report_(report), block_bytes_(FlightLayout().groups[0].BlockBytes()) {
  for (uint64_t i = 0; i < plan.blocks; ++i) {
    const std::vector<uint8_t> key = FlightKey(plan.prompt, i);
    keys_.insert(keys_.end(), key.begin(), key.end());
  }
}

bool FlightWorker::Run(const std::string& address, const std::atomic<uint32_t>* go) {
  ClientOptions options;
  options.address = address;
  options.model = "flight";
  options.layout = FlightLayout();
  options.progress = Progress::kCaller;
  options.default_deadline_ms = kDeadlineMs;
  options.connect_timeout_ms = kDeadlineMs;
  absl::StatusOr<std::unique_ptr<Client>> client = Client::Connect(std::move(options));
  if (!client.ok()) {
    std::printf("  worker: %s\n", client.status().ToString().c_str());
    return false;
  }
  client_ = *std::move(client);
  report_->ready = 1;
  while (*go == 0) usleep(500);
  if (!Work()) return false;
  report_->done_ms = NowMs();
  report_->done = 1;
  return true;
}

absl::StatusOr<MatchResult> FlightWorker::Match() {
  MatchRequest request;
  request.groups = {KeyList(keys_.data(), plan_.blocks, kKeyBytes)};
  request.claim_ms = plan_.claim_ms;
  return client_->Match(std::move(request));
}

absl::StatusOr<MatchResult> FlightWorker::Wait() {
  WaitRequest request;
  request.groups = {KeyList(keys_.data(), plan_.blocks, kKeyBytes)};
  request.have_tokens = have_ * kBlockTokens;
  request.step_tokens = std::max<uint64_t>(plan_.blocks / kStepsOfWaiting, 1) * kBlockTokens;
  request.claim_ms = plan_.claim_ms;
  request.deadline_ms = kWaitMs;
  ++report_->waits;
  return client_->Wait(std::move(request));
}

bool FlightWorker::Work() {
  absl::StatusOr<MatchResult> match = Match();
  while (true) {
    if (!match.ok()) {
      std::printf("  worker: %s\n", match.status().ToString().c_str());
      return false;
    }
    if (!LoadUpTo(match->longest_tokens() / kBlockTokens)) return false;
    if (have_ == plan_.blocks) return true;
    if (match->flight == Flight::kClaimed) return Compute(std::move(match->claim));
    if (match->flight == Flight::kNone && !match->complete) {
      std::printf("  worker: a shard did not answer at block %lu\n", have_);
      return false;
    }
    match = Wait();
  }
}

bool FlightWorker::LoadUpTo(uint64_t blocks) {
  if (blocks <= have_) return true;
  std::vector<uint8_t> buffer((blocks - have_) * block_bytes_, 0xa5), expected(block_bytes_);
  LoadRequest request;
  for (uint64_t i = have_; i < blocks; ++i) {
    request.items.push_back({.depth_tokens = static_cast<uint32_t>(i * kBlockTokens),
                             .key = ByteView(keys_).subspan(i * kKeyBytes, kKeyBytes),
                             .buffer = {buffer.data() + (i - have_) * block_bytes_, block_bytes_}});
  }
  const absl::StatusOr<LoadResult> result = client_->Load(std::move(request));
  if (!result.ok()) return false;
  const uint64_t first = have_;
  while (have_ < blocks && result->status[have_ - first] == BlockStatus::kOk) {
    Fill(ByteView(keys_).subspan(have_ * kKeyBytes, kKeyBytes), expected.data(), block_bytes_);
    if (std::memcmp(expected.data(), buffer.data() + (have_ - first) * block_bytes_, block_bytes_) != 0) {
      std::printf("  worker: WRONG BYTES in block %lu\n", have_);
      ++report_->wrong;
      return false;
    }
    ++have_;
    ++report_->loaded;
  }
  return true;
}

bool FlightWorker::Compute(Claim claim) {
  report_->computing = 1;
  ++report_->claims;
  std::vector<uint8_t> buffer(plan_.step_blocks * block_bytes_);
  const double block_ms = plan_.compute_ms / static_cast<double>(plan_.blocks);
  double at_ms = NowMs();
  while (have_ < plan_.blocks) {
    const uint64_t count = std::min(plan_.step_blocks, plan_.blocks - have_);
    at_ms += block_ms * static_cast<double>(count);
    SleepUntilMs(at_ms);
    claim.Renew();
    StoreRequest request;
    request.offer_first = false;
    for (uint64_t i = 0; i < count; ++i) {
      const ByteView key = ByteView(keys_).subspan((have_ + i) * kKeyBytes, kKeyBytes);
      Fill(key, buffer.data() + i * block_bytes_, block_bytes_);
      request.items.push_back({.depth_tokens = static_cast<uint32_t>((have_ + i) * kBlockTokens),
                               .key = key,
                               .buffer = {buffer.data() + i * block_bytes_, block_bytes_}});
    }
    const absl::StatusOr<StatusResult> stored = client_->Store(std::move(request));
    // What another has stored meanwhile is counted by the node: here it is only work done twice.
    const uint64_t taken = stored.ok() ? stored->Count(BlockStatus::kOk) + stored->Count(BlockStatus::kPresent) : 0;
    if (taken != count) {
      std::printf("  worker: of %lu blocks at %lu the node took %lu: %s\n", count, have_, taken,
                  stored.ok() ? "busy or rejected" : stored.status().ToString().c_str());
      return false;
    }
    have_ += count;
    report_->computed += count;
  }
  return true;
}

}  // namespace incipit::campaign
