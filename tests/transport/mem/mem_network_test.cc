#include "transport/mem/mem_network.h"

#include <vector>

#include <gtest/gtest.h>

#include "cache/runtime/sim_loop.h"

namespace incipit {
namespace {

class MemNetworkTest : public testing::Test {
 public:
  static Task<absl::StatusOr<size_t>> Write(Stream* stream, std::vector<uint8_t> bytes) {
    const iovec piece{bytes.data(), bytes.size()};
    const absl::StatusOr<size_t> written = co_await stream->Write({&piece, 1});
    co_return written;
  }
  static Task<absl::StatusOr<std::vector<uint8_t>>> Read(Stream* stream, size_t at_most) {
    std::vector<uint8_t> bytes(at_most);
    const iovec piece{bytes.data(), bytes.size()};
    const absl::StatusOr<size_t> count = co_await stream->Read({&piece, 1});
    if (!count.ok()) co_return count.status();
    bytes.resize(*count);
    co_return bytes;
  }
  // Connects to `address`, where somebody listens; gives both ends.
  std::pair<std::unique_ptr<Stream>, std::unique_ptr<Stream>> Connect(Listener* listener, const std::string& address) {
    auto near = loop_.Run(network_.MakeConnector()->Connect(address, kForeverNs));
    auto far = loop_.Run(listener->Accept());
    EXPECT_TRUE(near.ok() && far.ok());
    return {*std::move(near), *std::move(far)};
  }

  SimLoop loop_;
  std::unique_ptr<Random> random_ = MakeSeededRandom(1);
  MemNetwork network_{&loop_, random_.get(), 8};
};

TEST_F(MemNetworkTest, FullPipeTakesOnlyWhatFits) {
  auto [near, far] = network_.MakePair();
  EXPECT_EQ(*loop_.Run(Write(near.get(), std::vector<uint8_t>(20, 1))), 8u);
  EXPECT_EQ(loop_.Run(Read(far.get(), 100))->size(), 8u);
}

TEST_F(MemNetworkTest, ClosedPeerReadsAsEndAfterTheLastByte) {
  auto [near, far] = network_.MakePair();
  EXPECT_TRUE(loop_.Run(Write(near.get(), {1, 2})).ok());
  near->Close();
  EXPECT_EQ(*loop_.Run(Read(far.get(), 100)), (std::vector<uint8_t>{1, 2}));
  EXPECT_TRUE(loop_.Run(Read(far.get(), 100))->empty());
  EXPECT_EQ(loop_.Run(Write(far.get(), {1})).status().code(), absl::StatusCode::kUnavailable);
}

TEST_F(MemNetworkTest, NobodyListeningRefusesAndOneAddressIsTakenOnce) {
  EXPECT_EQ(loop_.Run(network_.MakeConnector()->Connect("nowhere", kForeverNs)).status().code(),
            absl::StatusCode::kUnavailable);
  const auto listener = network_.Listen("here");
  ASSERT_TRUE(listener.ok());
  EXPECT_EQ(network_.Listen("here").status().code(), absl::StatusCode::kAlreadyExists);
}

TEST_F(MemNetworkTest, KilledNodeBreaksItsConnectionsAndNoOthers) {
  auto a = *network_.Listen("a"), b = *network_.Listen("b");
  auto [near_a, far_a] = Connect(a.get(), "a");
  auto [near_b, far_b] = Connect(b.get(), "b");
  network_.Kill("a");
  EXPECT_EQ(loop_.Run(Write(near_a.get(), {1})).status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(loop_.Run(Read(far_a.get(), 1)).status().code(), absl::StatusCode::kUnavailable);
  EXPECT_TRUE(loop_.Run(Write(near_b.get(), {1})).ok());
  EXPECT_EQ(loop_.Run(network_.MakeConnector()->Connect("a", kForeverNs)).status().code(),
            absl::StatusCode::kUnavailable);
  EXPECT_TRUE(network_.Listen("a").ok()) << "the node may come back";
}

TEST_F(MemNetworkTest, FrozenNodeDeliversNothingUntilThawed) {
  auto listener = *network_.Listen("a");
  auto [near, far] = Connect(listener.get(), "a");
  EXPECT_TRUE(loop_.Run(Write(near.get(), {5})).ok());
  network_.Freeze("a", true);
  std::vector<uint8_t> got;
  TaskScope scope(&loop_);
  const auto read = [](Stream* stream, std::vector<uint8_t>* out) -> Task<void> {
    Task<absl::StatusOr<std::vector<uint8_t>>> reading = Read(stream, 10);
    absl::StatusOr<std::vector<uint8_t>> bytes = co_await reading;
    if (bytes.ok()) *out = *std::move(bytes);
  };
  scope.Spawn(read(far.get(), &got));
  loop_.RunUntilIdle();
  EXPECT_TRUE(got.empty());
  network_.Freeze("a", false);
  loop_.RunUntilIdle();
  EXPECT_EQ(got, std::vector<uint8_t>{5});
}

TEST_F(MemNetworkTest, APartitionStopsTheTwoAndNobodyElseUntilItHeals) {
  auto listener = *network_.Listen("a");
  const auto connect = [&](const std::string& from, int64_t deadline_ns) {
    return loop_.Run(network_.MakeConnector(from)->Connect("a", deadline_ns));
  };
  auto near = *connect("b", kForeverNs), other = *connect("c", kForeverNs);
  auto far = *loop_.Run(listener->Accept());
  EXPECT_TRUE(loop_.Run(Write(near.get(), {5})).ok());
  network_.Partition("b", "a", true);
  EXPECT_TRUE(network_.Apart("a", "b"));
  EXPECT_EQ(connect("b", loop_.NowNs() + 1000).status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_TRUE(connect("c", kForeverNs).ok());
  EXPECT_TRUE(loop_.Run(Write(other.get(), {1})).ok());
  absl::StatusOr<std::vector<uint8_t>> got = absl::UnknownError("nothing yet");
  TaskScope scope(&loop_);
  const auto read = [](Stream* stream, absl::StatusOr<std::vector<uint8_t>>* out) -> Task<void> {
    Task<absl::StatusOr<std::vector<uint8_t>>> reading = Read(stream, 10);
    *out = co_await reading;
  };
  scope.Spawn(read(far.get(), &got));
  loop_.RunUntilIdle();
  EXPECT_FALSE(got.ok());
  network_.HealAll();
  loop_.RunUntilIdle();
  ASSERT_TRUE(got.ok());
  EXPECT_EQ(*got, std::vector<uint8_t>{5}) << "the connection lasted, and nothing on it was lost";
  EXPECT_TRUE(connect("b", loop_.NowNs() + 1000).ok());
}

TEST_F(MemNetworkTest, CancelEndsAWaitingReadOnly) {
  auto [near, far] = network_.MakePair();
  absl::StatusCode code = absl::StatusCode::kOk;
  TaskScope scope(&loop_);
  const auto read = [](Stream* stream, absl::StatusCode* out) -> Task<void> {
    Task<absl::StatusOr<std::vector<uint8_t>>> reading = Read(stream, 10);
    const absl::StatusOr<std::vector<uint8_t>> bytes = co_await reading;
    *out = bytes.status().code();
  };
  scope.Spawn(read(far.get(), &code));
  loop_.RunUntilIdle();
  far->CancelRead();
  loop_.RunUntilIdle();
  EXPECT_EQ(code, absl::StatusCode::kCancelled);
  EXPECT_TRUE(loop_.Run(Write(near.get(), {1})).ok());
  EXPECT_EQ(loop_.Run(Read(far.get(), 10))->size(), 1u) << "the stream goes on after a cancelled read";
}

TEST_F(MemNetworkTest, SameSeedGivesTheSameFaults) {
  const auto run = [](uint64_t seed) {
    SimLoop loop;
    const std::unique_ptr<Random> random = MakeSeededRandom(seed);
    MemNetwork network(&loop, random.get(), 64);
    network.set_faults({.cut_per_mille = 20, .flip_per_mille = 100, .partial_per_mille = 300});
    auto [near, far] = network.MakePair();
    std::vector<uint8_t> got;
    for (int i = 0; i < 50; ++i) {
      if (!loop.Run(Write(near.get(), std::vector<uint8_t>(10, static_cast<uint8_t>(i)))).ok()) break;
      const absl::StatusOr<std::vector<uint8_t>> bytes = loop.Run(Read(far.get(), 64));
      if (!bytes.ok()) break;
      got.insert(got.end(), bytes->begin(), bytes->end());
    }
    return got;
  };
  EXPECT_EQ(run(7), run(7));
  EXPECT_NE(run(7), run(8));
}

}  // namespace
}  // namespace incipit
