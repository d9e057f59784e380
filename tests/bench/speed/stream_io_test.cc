#include "bench/speed/stream_io.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <thread>
#include <vector>

#include "bench/common/payload.h"

namespace incipit::bench {
namespace {

using Waiting = StreamVariant::Waiting;

class StreamIoTest : public testing::TestWithParam<Waiting> {};

TEST_P(StreamIoTest, EveryByteArrivesWhereItBelongs) {
  int ends[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
  std::vector<uint8_t> sent(3'000'001), received(sent.size());
  FillPayload(1, 0, sent);
  const StreamVariant variant{GetParam(), 100'000};
  std::thread sender([&] { EXPECT_TRUE(SendAll(ends[0], variant, sent).ok()); });
  const absl::Status status = ReceiveAll(ends[1], variant, received);
  sender.join();
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(CountWrongBytes(1, 0, received), 0u);
  close(ends[0]);
  close(ends[1]);
}

TEST_P(StreamIoTest, ClosedConnectionIsUnavailable) {
  int ends[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
  close(ends[0]);
  std::vector<uint8_t> bytes(10);
  EXPECT_EQ(ReceiveAll(ends[1], {GetParam(), 4096}, bytes).code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(SendAll(ends[1], {GetParam(), 4096}, bytes).code(), absl::StatusCode::kUnavailable);
  close(ends[1]);
}

INSTANTIATE_TEST_SUITE_P(AllWaits, StreamIoTest, testing::Values(Waiting::kBlock, Waiting::kSpin, Waiting::kRing));

}  // namespace
}  // namespace incipit::bench
