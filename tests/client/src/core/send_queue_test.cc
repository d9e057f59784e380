#include "client/src/core/send_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cache/runtime/sim_loop.h"
#include "transport/mem/mem_network.h"

namespace incipit {
namespace {

using testing::ElementsAre;

class SendQueueTest : public testing::Test {
 protected:
  SendQueueTest() : random_(MakeSeededRandom(1)), network_(&loop_, random_.get(), 1000), queue_(&loop_) {
    auto [near, far] = network_.MakePair();
    near_ = std::make_unique<FrameChannel>(std::move(near));
    far_ = std::make_unique<FrameChannel>(std::move(far));
  }

  void Push(uint64_t id, bool bulk, uint64_t payload_bytes = 0) {
    OutgoingFrame frame;
    frame.header.type = payload_bytes > 0 ? wire::FrameType::kStore : wire::FrameType::kPing;
    frame.header.request_id = id;
    frame.meta = std::make_shared<std::vector<uint8_t>>();
    if (payload_bytes > 0) {
      payload_.assign(payload_bytes, 7);
      piece_ = {payload_.data(), payload_.size()};
      frame.payload = {&piece_, 1};
    }
    frame.bulk = bulk;
    queue_.Push(std::move(frame));
  }
  Task<void> RunQueue() {
    absl::Status status = co_await queue_.Run(near_.get());
    ended_.push_back(status);
  }
  Task<void> ReceiveAll() {
    while (true) {
      absl::StatusOr<IncomingFrame> frame = co_await far_->Receive();
      if (!frame.ok()) co_return;
      received_.push_back(frame->header.request_id);
      absl::Status status = co_await far_->DiscardPayload();
      if (!status.ok()) co_return;
    }
  }
  void Finish(TaskScope* scope) {
    near_->Close();
    far_->Close();
    queue_.Stop();
    loop_.RunUntilIdle();
    ASSERT_EQ(scope->running(), 0u);
  }

  SimLoop loop_;
  std::unique_ptr<Random> random_;
  MemNetwork network_;
  SendQueue queue_;
  std::unique_ptr<FrameChannel> near_, far_;
  std::vector<uint8_t> payload_;
  iovec piece_{};
  std::vector<uint64_t> received_;
  std::vector<absl::Status> ended_;
};

TEST_F(SendQueueTest, StoresGoLast) {
  TaskScope scope(&loop_);
  Push(1, true);
  Push(2, true);
  Push(3, false);
  Push(4, false);
  scope.Spawn(RunQueue());
  scope.Spawn(ReceiveAll());
  loop_.RunUntilIdle();
  EXPECT_THAT(received_, ElementsAre(3, 4, 1, 2));
  Finish(&scope);
}

TEST_F(SendQueueTest, RemovedFrameIsNotSent) {
  TaskScope scope(&loop_);
  Push(1, true);
  Push(2, false);
  EXPECT_TRUE(queue_.Remove(1));
  EXPECT_FALSE(queue_.Remove(1));
  scope.Spawn(RunQueue());
  scope.Spawn(ReceiveAll());
  loop_.RunUntilIdle();
  EXPECT_THAT(received_, ElementsAre(2));
  Finish(&scope);
}

TEST_F(SendQueueTest, FrameBeingSentIsKnownUntilItEnds) {
  TaskScope scope(&loop_);
  Push(5, true, 5000);
  scope.Spawn(RunQueue());
  loop_.RunUntilIdle();  // Stuck: nobody reads, and the pipe holds 1000 bytes.
  EXPECT_TRUE(queue_.sending(5));
  EXPECT_FALSE(queue_.Remove(5));
  EXPECT_FALSE(loop_.Run(queue_.WaitSent(5, loop_.NowNs() + 1000)));
  scope.Spawn(ReceiveAll());
  EXPECT_TRUE(loop_.Run(queue_.WaitSent(5, kForeverNs)));
  EXPECT_FALSE(queue_.sending(5));
  Finish(&scope);
}

TEST_F(SendQueueTest, FailedSendEndsItAndDropsTheRest) {
  TaskScope scope(&loop_);
  Push(1, true, 5000);
  scope.Spawn(RunQueue());
  loop_.RunUntilIdle();
  Push(2, false);
  near_->Close();
  loop_.RunUntilIdle();
  ASSERT_EQ(ended_.size(), 1u);
  EXPECT_FALSE(ended_[0].ok());
  EXPECT_FALSE(queue_.sending(1));
  EXPECT_FALSE(queue_.Remove(2));
  Finish(&scope);
}

}  // namespace
}  // namespace incipit
