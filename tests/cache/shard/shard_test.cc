// A shard as a whole, where it is not its sessions that matter.
#include "cache/shard/shard.h"

#include <gtest/gtest.h>

#include "cache/seams/faulty_disk.h"
#include "cache/seams/mem_disk.h"
#include "tests/support/sim_node.h"

namespace incipit {
namespace {

using testing::SimNode;

constexpr int64_t kSecondNs = 1'000'000'000;

ShardOptions SmallShard() {
  ShardOptions options;
  options.store.ram_bytes = 4 << 20;
  options.store.touch_ram = false;
  options.nvme.region_bytes = 128 << 10;
  options.nvme.write_buffer_bytes = 64 << 10;
  options.nvme.write_buffers = 2;
  options.nvme.read_slot_bytes = 32 << 10;
  options.nvme.read_slots = 8;
  return options;
}

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
