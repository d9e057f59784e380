// A shard as a whole, where it is not its sessions that matter.
#include "cache/shard/shard.h"

#include <gtest/gtest.h>

#include "cache/seams/faulty_disk.h"
#include "cache/seams/mem_disk.h"
#include "tests/support/sim_node.h"
#include "tests/support/small_shard.h"

namespace incipit {
namespace {

using testing::SimNode;
using testing::SmallShard;

constexpr int64_t kSecondNs = 1'000'000'000;

TEST(ShardTest, StopsThoughItsDeviceFailedForGoodWhileItRecovered) {
  SimLoop loop;
  const std::unique_ptr<Random> random = MakeSeededRandom(5);
  MemNetwork network(&loop, random.get());
  const auto contents = std::make_shared<MemDiskContents>(32 << 20);  // more regions than are read at once
  {
    MemDisk disk(&loop, contents, {});
    SimNode before(&loop, &network, random.get());
    ASSERT_TRUE(before.Start(SmallShard(), {&disk}).ok());
  }
  MemDisk disk(&loop, contents, {});
  FaultyDisk faulty(&loop, &disk, random.get());
  SimNode node(&loop, &network, random.get());
  ASSERT_TRUE(node.Start(SmallShard(), {&faulty}).ok());
  faulty.SetProbability(FaultSite::kReadError, 1);
  loop.RunUntil(loop.NowNs() + 30 * kSecondNs);
  ASSERT_EQ(node.shard(0)->Report().gauges.nvme.state, NvmeState::kSuspended);
  const int64_t asked_ns = loop.NowNs();
  node.Stop();  // aborts if that never ends
  EXPECT_LT(loop.NowNs() - asked_ns, 2 * kSecondNs);
}

}  // namespace
}  // namespace incipit
