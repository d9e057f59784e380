#include "transport/frame_channel.h"

#include <algorithm>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cache/runtime/sim_loop.h"
#include "cache/seams/random.h"
#include "transport/mem/mem_network.h"

namespace incipit {
namespace {

using testing::HasSubstr;

std::vector<uint8_t> RandomBytes(size_t count, uint64_t seed) {
  std::vector<uint8_t> bytes(count);
  MakeSeededRandom(seed)->Fill(bytes);
  return bytes;
}

// Two channels over one in-memory connection, in virtual time.
class FrameChannelTest : public testing::Test {
 public:
  FrameChannelTest() : random_(MakeSeededRandom(1)), network_(&loop_, random_.get(), 4096) {
    auto [near, far] = network_.MakePair();
    raw_ = near.get();
    sender_ = std::make_unique<FrameChannel>(std::move(near));
    receiver_ = std::make_unique<FrameChannel>(std::move(far));
  }

  // What came of one frame.
  struct Received {
    absl::Status status;
    wire::FrameHeader header;
    std::vector<uint8_t> meta;
    std::vector<uint8_t> payload;
  };

  Task<absl::Status> Send(uint64_t request_id, std::vector<uint8_t> meta, std::vector<uint8_t> payload) {
    // Cut in two, so that pieces and frames do not coincide.
    const size_t half = payload.size() / 2;
    const std::vector<iovec> pieces = {{payload.data(), half}, {payload.data() + half, payload.size() - half}};
    wire::FrameHeader header{.type = wire::FrameType::kStore, .request_id = request_id};
    co_return co_await sender_->Send(header, meta, pieces);
  }

  Task<Received> Receive() {
    Received received;
    absl::StatusOr<IncomingFrame> frame = co_await receiver_->Receive();
    received.status = frame.status();
    if (!frame.ok()) co_return received;
    received.header = frame->header;
    received.meta.assign(frame->meta.begin(), frame->meta.end());
    received.payload.resize(receiver_->payload_remaining());
    const size_t third = received.payload.size() / 3;
    const std::vector<iovec> pieces = {{received.payload.data(), third},
                                       {received.payload.data() + third, received.payload.size() - third}};
    received.status = co_await receiver_->ReceivePayload(pieces);
    co_return received;
  }

  // Sends frames one after the other while the other side receives them.
  Task<std::vector<Received>> Exchange(std::vector<std::pair<std::vector<uint8_t>, std::vector<uint8_t>>> frames) {
    TaskScope scope(&loop_);
    const auto send_all = [](FrameChannelTest* test, const decltype(frames)* all) -> Task<void> {
      for (size_t i = 0; i < all->size(); ++i) {
        Task<absl::Status> sending = test->Send(i + 1, (*all)[i].first, (*all)[i].second);
        const absl::Status status = co_await sending;
        if (!status.ok()) break;
      }
      // A length that grew on the way is waited for until the connection ends.
      test->sender_->Close();
    };
    scope.Spawn(send_all(this, &frames));
    std::vector<Received> received;
    while (received.size() < frames.size()) {
      Task<Received> receiving = Receive();
      received.push_back(co_await receiving);
      if (!received.back().status.ok()) break;
    }
    receiver_->Close();
    co_await scope.Join();
    co_return received;
  }

  SimLoop loop_;
  std::unique_ptr<Random> random_;
  MemNetwork network_;
  Stream* raw_ = nullptr;  // the sender's stream, for writing what is not a frame
  std::unique_ptr<FrameChannel> sender_, receiver_;
};

TEST_F(FrameChannelTest, FramesOfAllSizesArriveWholeAndInOrder) {
  // Below, at and above the read-ahead (16 KiB), the pipe (4 KiB) and one transfer (1 MiB).
  std::vector<std::pair<std::vector<uint8_t>, std::vector<uint8_t>>> frames;
  for (const size_t bytes : {0u, 1u, 4095u, 4096u, 16384u, 16385u, 100000u, (1u << 20) + 1}) {
    frames.push_back({RandomBytes(bytes % 50000, bytes), RandomBytes(bytes, bytes + 1)});
  }
  const std::vector<Received> received = loop_.Run(Exchange(frames));
  ASSERT_EQ(received.size(), frames.size());
  for (size_t i = 0; i < frames.size(); ++i) {
    ASSERT_TRUE(received[i].status.ok()) << i << ' ' << received[i].status;
    EXPECT_EQ(received[i].header.request_id, i + 1);
    EXPECT_TRUE(received[i].meta == frames[i].first) << i;
    EXPECT_TRUE(received[i].payload == frames[i].second) << i;
  }
}

// Takes everything, and remembers how much it was given at a time.
class SizeRecorder : public Stream {
 public:
  explicit SizeRecorder(std::vector<size_t>* writes) : writes_(writes) {}
  Task<absl::StatusOr<size_t>> Read(std::span<const iovec>) override { co_return absl::CancelledError("no reads"); }
  Task<absl::StatusOr<size_t>> Write(std::span<const iovec> from) override {
    size_t bytes = 0;
    for (const iovec& piece : from) bytes += piece.iov_len;
    writes_->push_back(bytes);
    co_return bytes;
  }
  void CancelRead() override {}
  void Close() override {}
  std::string PeerName() const override { return "recorder"; }

 private:
  std::vector<size_t>* writes_;
};

TEST_F(FrameChannelTest, TransfersStayWithinTheirLimit) {
  std::vector<size_t> writes;
  FrameChannel channel(std::make_unique<SizeRecorder>(&writes));
  std::vector<uint8_t> payload(4 << 20);
  const iovec piece{payload.data(), payload.size()};
  const auto largest = [&](uint64_t limit_bytes, FillPayload fill) {
    writes.clear();
    channel.LimitTransfers(limit_bytes);
    const absl::Status sent =
        loop_.Run(channel.Send({.type = wire::FrameType::kStore}, {}, {&piece, 1}, std::move(fill)));
    EXPECT_TRUE(sent.ok()) << sent;
    return *std::max_element(writes.begin(), writes.end());
  };
  EXPECT_EQ(largest(UINT64_MAX, {}), FrameChannel::kMaxTransferBytes);
  EXPECT_EQ(largest(100'000, {}), 100'000u);
  EXPECT_EQ(largest(0, {}), FrameChannel::kMinTransferBytes);
  EXPECT_EQ(largest(100'000, [](uint64_t) {}), 100'000u) << "also where the payload is completed on its way";
}

TEST_F(FrameChannelTest, PartialAndDelayedTransfersChangeNothing) {
  network_.set_faults({.partial_per_mille = 700, .delay_per_mille = 300, .max_delay_ns = 1000});
  const std::vector<std::pair<std::vector<uint8_t>, std::vector<uint8_t>>> frames(
      20, {RandomBytes(777, 1), RandomBytes(30000, 2)});
  const std::vector<Received> received = loop_.Run(Exchange(frames));
  ASSERT_EQ(received.size(), frames.size());
  for (const Received& frame : received) {
    ASSERT_TRUE(frame.status.ok()) << frame.status;
    EXPECT_TRUE(frame.meta == frames[0].first && frame.payload == frames[0].second);
  }
  EXPECT_GT(network_.counters().partials, 0u);
  EXPECT_GT(network_.counters().delays, 0u);
}

TEST_F(FrameChannelTest, FlippedBitsInHeaderOrMetaAreNeverBelieved) {
  uint64_t damaged = 0;
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    const std::unique_ptr<Random> random = MakeSeededRandom(seed);
    MemNetwork network(&loop_, random.get());
    network.set_faults({.flip_per_mille = 1000});
    auto [near, far] = network.MakePair();
    sender_ = std::make_unique<FrameChannel>(std::move(near));
    receiver_ = std::make_unique<FrameChannel>(std::move(far));
    const std::vector<Received> received = loop_.Run(Exchange({{RandomBytes(200, seed), {}}}));
    ASSERT_EQ(received.size(), 1u);
    EXPECT_FALSE(received[0].status.ok()) << "seed " << seed;
    damaged += network.counters().flips;
    sender_.reset();
    receiver_.reset();
  }
  EXPECT_GE(damaged, 100u);
}

TEST_F(FrameChannelTest, ClosedPeerIsUnavailable) {
  sender_->Close();
  const Received received = loop_.Run(Receive());
  EXPECT_EQ(received.status.code(), absl::StatusCode::kUnavailable);
}

TEST_F(FrameChannelTest, PeerThatClosesInsideAPayloadIsUnavailable) {
  const auto send_part = [](FrameChannelTest* test) -> Task<void> {
    std::vector<uint8_t> payload(1000, 7);
    wire::FrameHeader header{.type = wire::FrameType::kStore, .payload_bytes = payload.size()};
    const auto encoded = header.Encode({});
    std::vector<uint8_t> bytes(encoded.begin(), encoded.end());
    bytes.insert(bytes.end(), payload.begin(), payload.begin() + 999);
    const iovec piece{bytes.data(), bytes.size()};
    const absl::StatusOr<size_t> written = co_await test->raw_->Write({&piece, 1});
    EXPECT_EQ(written.value_or(0), bytes.size());
    test->sender_->Close();
  };
  loop_.Run(send_part(this));
  const Received received = loop_.Run(Receive());
  EXPECT_EQ(received.status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(received.status.message()), HasSubstr("closed"));
}

TEST_F(FrameChannelTest, BytesThatAreNoFrameAreRefused) {
  const auto send_noise = [](FrameChannelTest* test) -> Task<void> {
    std::vector<uint8_t> bytes = RandomBytes(wire::kFrameHeaderBytes, 9);
    const iovec piece{bytes.data(), bytes.size()};
    const absl::StatusOr<size_t> written = co_await test->raw_->Write({&piece, 1});
    EXPECT_TRUE(written.ok());
  };
  loop_.Run(send_noise(this));
  EXPECT_EQ(loop_.Run(Receive()).status.code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(FrameChannelTest, DiscardedPayloadLeavesTheNextFrameInPlace) {
  const auto run = [](FrameChannelTest* test) -> Task<Received> {
    TaskScope scope(&test->loop_);
    const auto send = [](FrameChannelTest* t) -> Task<void> {
      Task<absl::Status> first = t->Send(1, {}, RandomBytes(600000, 1));
      const absl::Status first_status = co_await first;
      EXPECT_TRUE(first_status.ok()) << first_status;
      Task<absl::Status> second = t->Send(2, {1, 2, 3}, {});
      const absl::Status second_status = co_await second;
      EXPECT_TRUE(second_status.ok()) << second_status;
    };
    scope.Spawn(send(test));
    const absl::StatusOr<IncomingFrame> first = co_await test->receiver_->Receive();
    EXPECT_TRUE(first.ok()) << first.status();
    const absl::Status discarded = co_await test->receiver_->DiscardPayload();
    EXPECT_TRUE(discarded.ok()) << discarded;
    Task<Received> receiving = test->Receive();
    Received second = co_await receiving;
    co_await scope.Join();
    co_return second;
  };
  const Received second = loop_.Run(run(this));
  ASSERT_TRUE(second.status.ok()) << second.status;
  EXPECT_EQ(second.header.request_id, 2u);
  EXPECT_EQ(second.meta, (std::vector<uint8_t>{1, 2, 3}));
}

TEST_F(FrameChannelTest, CancelledReceiveStopsWritingAndTheRestCanBeDiscarded) {
  const auto run = [](FrameChannelTest* test) -> Task<Received> {
    TaskScope scope(&test->loop_);
    // The frame's header arrives; its payload does not, until after the cancellation.
    wire::FrameHeader header{.type = wire::FrameType::kStore, .request_id = 1, .payload_bytes = 500};
    auto encoded = header.Encode({});
    const iovec piece{encoded.data(), encoded.size()};
    const absl::StatusOr<size_t> written = co_await test->raw_->Write({&piece, 1});
    EXPECT_TRUE(written.ok());
    const absl::StatusOr<IncomingFrame> frame = co_await test->receiver_->Receive();
    EXPECT_TRUE(frame.ok()) << frame.status();
    const auto cancel_then_send = [](FrameChannelTest* t) -> Task<void> {
      co_await SleepUntil(&t->loop_, t->loop_.NowNs() + 1000);
      t->receiver_->CancelReceive();
      co_await SleepUntil(&t->loop_, t->loop_.NowNs() + 1000);
      std::vector<uint8_t> payload(500, 7);
      const iovec rest{payload.data(), payload.size()};
      const absl::StatusOr<size_t> sent = co_await t->raw_->Write({&rest, 1});
      EXPECT_TRUE(sent.ok());
      Task<absl::Status> next = t->Send(2, {9}, {});
      const absl::Status status = co_await next;
      EXPECT_TRUE(status.ok()) << status;
    };
    scope.Spawn(cancel_then_send(test));
    std::vector<uint8_t> into(500, 0);
    const iovec target{into.data(), into.size()};
    const absl::Status received = co_await test->receiver_->ReceivePayload({&target, 1});
    EXPECT_EQ(received.code(), absl::StatusCode::kCancelled);
    const absl::Status discarded = co_await test->receiver_->DiscardPayload();
    EXPECT_TRUE(discarded.ok()) << discarded;
    EXPECT_EQ(into, std::vector<uint8_t>(500, 0));
    Task<Received> receiving = test->Receive();
    Received next = co_await receiving;
    co_await scope.Join();
    co_return next;
  };
  const Received next = loop_.Run(run(this));
  ASSERT_TRUE(next.status.ok()) << next.status;
  EXPECT_EQ(next.header.request_id, 2u);
}

}  // namespace
}  // namespace incipit
