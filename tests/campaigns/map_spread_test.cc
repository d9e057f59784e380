// A change of the cluster's map reaches all clients soon, and Redis hears nothing of how many they are.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <thread>

#include "cache/runtime/uring_loop.h"
#include "client/src/map_follower.h"
#include "cluster/node/cluster_agent.h"
#include "tests/support/campaign.h"
#include "tests/support/redis_server.h"
#include "transport/lane_connector.h"

namespace incipit {
namespace {

using Clock = std::chrono::steady_clock;
using testing::RedisServer;

constexpr size_t kNodes = 4;

double MsSince(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

// True once `wanted` holds, which is asked again and again for a minute at most.
template <typename Wanted>
bool Eventually(const Wanted& wanted) {
  for (int i = 0; i < 60'000; ++i) {
    if (wanted()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return false;
}

uint64_t ScriptCalls(RedisServer* redis) {
  uint64_t calls = 0;
  const std::string text = redis->Ask({"INFO", "commandstats"});
  for (const char* command : {"cmdstat_eval:calls=", "cmdstat_evalsha:calls="}) {
    const size_t at = text.find(command);
    if (at != std::string::npos) calls += std::strtoull(text.c_str() + at + std::strlen(command), nullptr, 10);
  }
  return calls;
}

// Many followers of the map over TCP, on one loop with a thread.
class Crowd {
 public:
  Crowd(size_t count, const std::vector<std::string>& seeds) : loop_(*UringLoop::Create({.single_thread = false})) {
    epochs_.resize(count);
    for (size_t i = 0; i < count; ++i) {
      MapFollowerOptions options{.seeds = seeds};
      options.step_timeout_ms = 60'000;
      options.on_map = [this, i](const std::shared_ptr<const ClusterMap>& map) {
        const uint64_t before = std::exchange(epochs_[i], map->epoch);
        if (before < wanted_epoch_ && map->epoch >= wanted_epoch_) ++reached_;
      };
      followers_.push_back(std::make_unique<MapFollower>(loop_.get(), &connector_, random_.get(), options));
    }
    thread_ = std::thread([this] {
      for (auto& follower : followers_) follower->Start();
      loop_->Run();
      for (auto& follower : followers_) loop_->RunTask(follower->Stop());
      followers_.clear();
    });
  }
  ~Crowd() {
    loop_->Stop();
    thread_.join();
  }
  size_t reached() const { return reached_; }
  // From now on counts those who have a map of that epoch. Call before there is one.
  void Want(uint64_t epoch) {
    reached_ = 0;
    wanted_epoch_ = epoch;
  }

 private:
  std::unique_ptr<UringLoop> loop_;
  std::unique_ptr<Random> random_ = MakeSystemRandom();
  LaneConnector connector_{loop_.get()};
  std::vector<std::unique_ptr<MapFollower>> followers_;
  std::atomic<uint64_t> wanted_epoch_{1};
  std::atomic<size_t> reached_{0};
  std::vector<uint64_t> epochs_;  // by follower, 0 before the first map; the loop's thread
  std::thread thread_;
};

std::unique_ptr<Node> StartNode() {
  NodeOptions options;
  options.listen = "127.0.0.1:0";
  options.shards = 1;
  options.ram_bytes = 8 << 20;
  options.huge_pages = false;
  options.limits.max_sessions = 100'000;
  auto node = Node::Start(options);
  EXPECT_TRUE(node.ok()) << node.status();
  return node.ok() ? *std::move(node) : nullptr;
}

TEST(MapSpread, AChangeReachesAllClientsAndRedisIsAskedByNodesOnly) {
  const auto clients = static_cast<size_t>(testing::CampaignCount(1000));
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  ASSERT_GT(files.rlim_cur, 2 * clients + 200) << "too few files may be open here for so many clients";
  RedisServer redis;
  ClusterAgentOptions options;
  options.source = "redis+unix://" + redis.Address().socket_path + "?cluster=spread";
  options.lease_ms = 30'000;
  std::vector<std::unique_ptr<Node>> nodes;
  std::vector<std::unique_ptr<ClusterAgent>> agents;
  std::vector<std::string> seeds;
  const auto join = [&] {
    nodes.push_back(StartNode());
    auto agent = ClusterAgent::Start(nodes.back().get(), options);
    ASSERT_TRUE(agent.ok()) << agent.status();
    agents.push_back(*std::move(agent));
    seeds.push_back("tcp://" + nodes.back()->address());
  };
  for (size_t i = 0; i + 1 < kNodes; ++i) join();
  ASSERT_TRUE(Eventually([&] {
    const auto map = agents[0]->Map();
    return map != nullptr && map->nodes.size() == kNodes - 1;
  }));
  Crowd crowd(clients, seeds);
  ASSERT_TRUE(Eventually([&] { return crowd.reached() >= clients; })) << crowd.reached() << " of " << clients;

  for (int round = 0; round < 5; ++round) {
    const uint64_t epoch = agents[0]->Map()->epoch + 1;
    crowd.Want(epoch);
    const uint64_t calls_before = ScriptCalls(&redis);
    const Clock::time_point start = Clock::now();
    if (round % 2 == 0) {
      join();
    } else {  // and leaves again
      agents.back()->Leave();
      agents.pop_back();
    }
    ASSERT_TRUE(Eventually([&] { return crowd.reached() >= clients; })) << crowd.reached() << " of " << clients;
    const double spread_ms = MsSince(start);
    const uint64_t calls = ScriptCalls(&redis) - calls_before;
    std::printf(
        "%s: %zu clients have the new map after %.0f ms (target 1000); Redis was called %llu times by %zu nodes\n",
        round % 2 == 0 ? "join " : "leave", clients, spread_ms, static_cast<unsigned long long>(calls), agents.size());
    // Each node fetches once, and some may renew just then.
    EXPECT_LE(calls, 4 * kNodes + 4);
    EXPECT_LT(spread_ms, 10'000);  // ten times the target: the machine may be busy
  }
}

}  // namespace
}  // namespace incipit
