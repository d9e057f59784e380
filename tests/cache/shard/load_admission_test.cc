#include "cache/shard/load_admission.h"

#include <gtest/gtest.h>

#include <vector>

#include "cache/runtime/sim_loop.h"
#include "transport/frame_channel.h"

namespace incipit {
namespace {

constexpr uint64_t kLoadBytes = 1 << 20;

class LoadAdmissionTest : public ::testing::Test {
 protected:
  LoadAdmissionTest() {
    limits_.max_loads = 4;
    limits_.max_loads_per_session = 3;
    limits_.max_load_bytes = 100 * kLoadBytes;
  }
  void Wait(int64_t ns) { loop_.RunUntil(loop_.NowNs() + ns); }
  void Finish(LoadCaller* caller) {
    admission_.Progress(kLoadBytes);
    admission_.End(caller);
  }

  SimLoop loop_;
  ShardLimits limits_;
  LoadAdmission admission_{&loop_, limits_};
};

TEST_F(LoadAdmissionTest, LimitsAreKept) {
  LoadCaller one, other;
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(admission_.Admit(kLoadBytes, &one));
  EXPECT_FALSE(admission_.MayLoad(one)) << "three loads of one session";
  EXPECT_TRUE(admission_.Admit(kLoadBytes, &other));
  EXPECT_FALSE(admission_.MayLoad(other)) << "four loads in all";
  EXPECT_FALSE(admission_.Admit(kLoadBytes, &other));
  EXPECT_EQ(admission_.loads(), 4u);
  EXPECT_EQ(admission_.load_bytes(), 4 * kLoadBytes);
  Finish(&one);
  EXPECT_TRUE(admission_.MayLoad(other));
  EXPECT_EQ(admission_.load_bytes(), 3 * kLoadBytes);
}

TEST_F(LoadAdmissionTest, BytesAreLimitedButOneLoadAlwaysFits) {
  LoadCaller one, other;
  EXPECT_TRUE(admission_.Admit(1000 * kLoadBytes, &one));
  EXPECT_FALSE(admission_.Admit(1, &other));
  EXPECT_EQ(admission_.load_bytes(), 1000 * kLoadBytes) << "a refusal changes nothing";
}

TEST_F(LoadAdmissionTest, StoresGiveWayBeforeAnyLoadIsRefused) {
  LoadCaller one, other;
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(admission_.Admit(kLoadBytes, &one));
  EXPECT_TRUE(admission_.MayStore());
  ASSERT_TRUE(admission_.Admit(kLoadBytes, &other));
  EXPECT_FALSE(admission_.MayStore()) << "three of four loads";
  EXPECT_TRUE(admission_.MayLoad(other));
  Finish(&one);
  EXPECT_TRUE(admission_.MayStore());
  ASSERT_TRUE(admission_.Admit(80 * kLoadBytes, &one));
  EXPECT_FALSE(admission_.MayStore()) << "three quarters of the bytes";
  EXPECT_TRUE(admission_.Admit(kLoadBytes, &other));
}

TEST_F(LoadAdmissionTest, ALimitOfOneLoadLeavesRoomForStoresBetweenLoads) {
  limits_.max_loads = 1;
  LoadCaller one;
  EXPECT_TRUE(admission_.MayStore());
  ASSERT_TRUE(admission_.Admit(1000 * kLoadBytes, &one));
  EXPECT_FALSE(admission_.MayStore());
  admission_.Progress(1000 * kLoadBytes);
  admission_.End(&one);
  EXPECT_TRUE(admission_.MayStore());
}

TEST_F(LoadAdmissionTest, AppointmentsAreSpreadAndGrowWithTheQueue) {
  std::vector<LoadCaller> busy(4), refused(50);
  for (LoadCaller& caller : busy) ASSERT_TRUE(admission_.Admit(kLoadBytes, &caller));
  uint32_t last_us = 0;
  for (LoadCaller& caller : refused) {
    const uint32_t wait_us = admission_.Refuse(&caller);
    EXPECT_GT(wait_us, last_us);
    EXPECT_EQ(caller.appointment_ns, loop_.NowNs() + int64_t{wait_us} * 1000);
    last_us = wait_us;
  }
  EXPECT_LE(last_us, 1'000'000u);
}

TEST_F(LoadAdmissionTest, AppointmentsGoBeforeThoseWhoComeWithoutOne) {
  std::vector<LoadCaller> busy(4);
  for (LoadCaller& caller : busy) ASSERT_TRUE(admission_.Admit(kLoadBytes, &caller));
  LoadCaller told, later, walk_in;
  const int64_t wait_ns = int64_t{admission_.Refuse(&told)} * 1000;
  for (int i = 0; i < 20; ++i) admission_.Refuse(&later);
  Finish(&busy[0]);
  EXPECT_FALSE(admission_.MayLoad(walk_in)) << "the free place is for who was told to come";
  EXPECT_FALSE(admission_.MayLoad(told)) << "it is early";
  Wait(wait_ns);
  EXPECT_FALSE(admission_.MayLoad(walk_in));
  EXPECT_TRUE(admission_.Admit(kLoadBytes, &told));
  Finish(&told);
  EXPECT_FALSE(admission_.MayLoad(told)) << "an appointment is for once";
  Finish(&busy[1]);
  Finish(&busy[2]);
  EXPECT_TRUE(admission_.MayLoad(walk_in)) << "places do not lie idle for those who stay away";
}

TEST_F(LoadAdmissionTest, LoadsSentTogetherAreLetInTogether) {
  std::vector<LoadCaller> busy(4);
  for (LoadCaller& caller : busy) ASSERT_TRUE(admission_.Admit(kLoadBytes, &caller));
  LoadCaller told, later;
  const int64_t wait_ns = int64_t{admission_.Refuse(&told)} * 1000;
  for (int i = 0; i < 20; ++i) admission_.Refuse(&later);
  Finish(&busy[0]);
  Finish(&busy[1]);
  Wait(wait_ns);
  EXPECT_TRUE(admission_.Admit(kLoadBytes, &told));
  EXPECT_TRUE(admission_.Admit(kLoadBytes, &told));
}

TEST_F(LoadAdmissionTest, OnceTheQueueHasPassedAllAreEqual) {
  std::vector<LoadCaller> busy(4);
  for (LoadCaller& caller : busy) ASSERT_TRUE(admission_.Admit(kLoadBytes, &caller));
  LoadCaller told, walk_in;
  const int64_t wait_ns = int64_t{admission_.Refuse(&told)} * 1000;
  Finish(&busy[0]);
  Wait(wait_ns + 1000);  // the answer was in whole microseconds
  EXPECT_TRUE(admission_.MayLoad(walk_in)) << "nobody else is expected";
}

TEST_F(LoadAdmissionTest, SessionsThatSendShareARound) {
  std::vector<LoadCaller> callers(4);
  EXPECT_EQ(admission_.TransferBytes(), FrameChannel::kMaxTransferBytes);
  ASSERT_TRUE(admission_.Admit(kLoadBytes, &callers[0]));
  ASSERT_TRUE(admission_.Admit(kLoadBytes, &callers[0]));
  EXPECT_EQ(admission_.TransferBytes(), FrameChannel::kMaxTransferBytes) << "one session, two loads";
  ASSERT_TRUE(admission_.Admit(kLoadBytes, &callers[1]));
  const uint64_t two = admission_.TransferBytes();
  ASSERT_TRUE(admission_.Admit(kLoadBytes, &callers[2]));
  EXPECT_LT(admission_.TransferBytes(), two);
  Finish(&callers[2]);
  EXPECT_EQ(admission_.TransferBytes(), two);
}

}  // namespace
}  // namespace incipit
