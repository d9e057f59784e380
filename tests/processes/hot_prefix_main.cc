// Many workers load one short prefix over and over: how long each load takes, second by second, against loads of cold
// prefixes before. campaign_hot_prefix ADDRESS prints one JSON object; INCIPIT_WORKERS, INCIPIT_SECONDS,
// INCIPIT_LOADS_PER_S of all workers together, INCIPIT_PREFIX_BLOCKS, INCIPIT_SEED.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>

#include "cache/base/check.h"
#include "cache/seams/random.h"
#include "client/layouts/layouts.h"
#include "incipit/client.h"
#include "tests/support/campaign.h"

namespace incipit::campaign {
namespace {

using std::chrono::steady_clock;

constexpr uint32_t kBlockTokens = 64;
constexpr size_t kColdPrefixes = 41;
constexpr uint32_t kTimeoutMs = 60'000;

double MsSince(steady_clock::time_point since) {
  return std::chrono::duration<double, std::milli>(steady_clock::now() - since).count();
}

struct Prefix {
  std::vector<BlockKey> keys;
  std::vector<std::vector<uint8_t>> payloads;
};

class HotPrefix {
 public:
  explicit HotPrefix(std::string address)
      : address_(std::move(address)), layout_(*CustomLayout(1, 4096, kBlockTokens)) {
    for (size_t i = 0; i <= kColdPrefixes; ++i) prefixes_.push_back(MakePrefix(i));
  }

  nlohmann::json Run() {
    const auto writer = Connect(Progress::kThread);
    for (const Prefix& prefix : prefixes_) StoreAll(writer.get(), prefix);
    std::vector<double> cold_ms;
    for (size_t i = 1; i <= kColdPrefixes; ++i) cold_ms.push_back(LoadMs(writer.get(), prefixes_[i]));
    std::vector<std::thread> threads;
    // All are connected before anybody begins.
    start_ = steady_clock::now() + std::chrono::milliseconds(2000 + 10 * workers_);
    for (size_t i = 0; i < workers_; ++i) threads.emplace_back([this, i] { Work(i); });
    for (std::thread& thread : threads) thread.join();
    nlohmann::json out = {{"cold_median_ms", Quantile(&cold_ms, 0.5)}, {"cold_p99_ms", Quantile(&cold_ms, 0.99)}};
    for (size_t second = 0; second < seconds_; ++second) {
      std::vector<double>& latencies = by_second_[second];
      out["seconds"].push_back(
          {{"loads", latencies.size()}, {"p50_ms", Quantile(&latencies, 0.5)}, {"p99_ms", Quantile(&latencies, 0.99)}});
    }
    out["wrong_bytes"] = wrong_;
    out["misses"] = misses_;
    out["copies_made"] = copies_made_;
    out["copy_hits"] = copy_hits_;
    out["second_tries"] = second_tries_;
    return out;
  }

 private:
  Prefix MakePrefix(uint64_t number) const {
    Prefix prefix;
    for (uint64_t i = 0; i < testing::FromEnvironment("INCIPIT_PREFIX_BLOCKS", 1); ++i) {
      const auto random = MakeSeededRandom(testing::CampaignSeed() * 1'000'003 + number * 1009 + i);
      std::vector<uint8_t> key(32);
      random->Fill(key);
      prefix.keys.emplace_back(key);
      prefix.payloads.emplace_back(layout_.groups[0].BlockBytes());
      random->Fill(prefix.payloads.back());
    }
    return prefix;
  }
  std::unique_ptr<Client> Connect(Progress progress) const {
    ClientOptions options;
    options.address = address_;
    options.model = "hot-prefix";
    options.layout = layout_;
    options.progress = progress;
    options.connect_timeout_ms = kTimeoutMs;
    options.default_deadline_ms = kTimeoutMs;
    absl::StatusOr<std::unique_ptr<Client>> client = Client::Connect(options);
    INCIPIT_CHECK(client.ok(), std::string(client.status().message()).c_str());
    return *std::move(client);
  }
  void StoreAll(Client* client, const Prefix& prefix) const {
    StoreRequest request;
    for (size_t i = 0; i < prefix.keys.size(); ++i) {
      request.items.push_back({.depth_tokens = static_cast<uint32_t>(i) * kBlockTokens,
                               .key = prefix.keys[i].bytes(),
                               .buffer = {const_cast<uint8_t*>(prefix.payloads[i].data()), prefix.payloads[i].size()}});
    }
    const auto stored = client->Store(request);
    INCIPIT_CHECK(stored.ok() && stored->Count(BlockStatus::kOk) == request.items.size(), "the prefix is not stored");
  }
  // Match and load of a whole prefix.
  double LoadMs(Client* client, const Prefix& prefix) {
    std::vector<std::vector<uint8_t>> buffers(prefix.keys.size(), std::vector<uint8_t>(prefix.payloads[0].size()));
    LoadRequest request;
    for (size_t i = 0; i < prefix.keys.size(); ++i) {
      request.items.push_back({.depth_tokens = static_cast<uint32_t>(i) * kBlockTokens,
                               .key = prefix.keys[i].bytes(),
                               .buffer = {buffers[i].data(), buffers[i].size()}});
    }
    const auto begin = steady_clock::now();
    const auto match = client->Match({.groups = {KeyList(prefix.keys)}});
    const auto loaded = client->Load(request);
    const double ms = MsSince(begin);
    INCIPIT_CHECK(match.ok() && loaded.ok(), "a call failed");
    for (size_t i = 0; i < prefix.keys.size(); ++i) {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (loaded->status[i] != BlockStatus::kOk) {
        ++misses_;
      } else if (buffers[i] != prefix.payloads[i]) {
        ++wrong_;
      }
    }
    return ms;
  }
  void Work(size_t worker) {
    const auto client = Connect(Progress::kCaller);
    const auto random = MakeSeededRandom(testing::CampaignSeed() * 7919 + worker);
    const double mean_s = static_cast<double>(workers_) / static_cast<double>(loads_per_s_);
    auto next = start_;
    while (true) {
      const double uniform = (static_cast<double>(random->Below(1u << 30)) + 1) / (1u << 30);
      next += std::chrono::microseconds(static_cast<int64_t>(-std::log(uniform) * mean_s * 1e6));
      next = std::max(next, steady_clock::now());
      while (steady_clock::now() < next) {
        const auto left = std::chrono::duration_cast<std::chrono::microseconds>(next - steady_clock::now()).count();
        client->Poll(static_cast<uint32_t>(std::clamp<int64_t>(left, 1, 100'000)));
      }
      const double since_start_s = MsSince(start_) / 1000;
      if (since_start_s >= static_cast<double>(seconds_)) break;
      const double ms = LoadMs(client.get(), prefixes_[0]);
      const std::lock_guard<std::mutex> lock(mutex_);
      by_second_[static_cast<size_t>(since_start_s)].push_back(ms);
    }
    const ClientCounters counters = client->counters();
    const std::lock_guard<std::mutex> lock(mutex_);
    copies_made_ += counters.copies_made;
    copy_hits_ += counters.copy_hits;
    second_tries_ += counters.second_tries;
  }
  static double Quantile(std::vector<double>* values, double share) {
    if (values->empty()) return 0;
    std::sort(values->begin(), values->end());
    return (*values)[static_cast<size_t>(share * static_cast<double>(values->size() - 1))];
  }

  const size_t workers_ = testing::FromEnvironment("INCIPIT_WORKERS", 200);
  const size_t seconds_ = testing::FromEnvironment("INCIPIT_SECONDS", 10);
  const uint64_t loads_per_s_ = testing::FromEnvironment("INCIPIT_LOADS_PER_S", 90);
  const std::string address_;
  const Layout layout_;
  std::vector<Prefix> prefixes_;  // the first is the hot one
  steady_clock::time_point start_;
  std::mutex mutex_;  // over all below
  std::vector<std::vector<double>> by_second_ = std::vector<std::vector<double>>(seconds_);
  uint64_t wrong_ = 0, misses_ = 0, copies_made_ = 0, copy_hits_ = 0, second_tries_ = 0;
};

}  // namespace
}  // namespace incipit::campaign

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: campaign_hot_prefix ADDRESS\n");
    return 2;
  }
  incipit::campaign::HotPrefix hot(argv[1]);
  std::printf("%s\n", hot.Run().dump().c_str());
  return 0;
}
