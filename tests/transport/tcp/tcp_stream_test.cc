#include "transport/tcp/tcp_stream.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <vector>

#include <gtest/gtest.h>

namespace incipit {
namespace {

class TcpStreamTest : public testing::Test {
 public:
  TcpStreamTest() {
    int fds[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    near_ = std::make_unique<TcpStream>(loop_.get(), fds[0], "near");
    far_ = std::make_unique<TcpStream>(loop_.get(), fds[1], "far");
  }
  static Task<absl::StatusOr<size_t>> Write(Stream* stream, std::span<const iovec> pieces) {
    const absl::StatusOr<size_t> written = co_await stream->Write(pieces);
    co_return written;
  }
  static Task<absl::StatusOr<size_t>> Read(Stream* stream, std::span<const iovec> pieces) {
    const absl::StatusOr<size_t> count = co_await stream->Read(pieces);
    co_return count;
  }

  std::unique_ptr<UringLoop> loop_ = *UringLoop::Create({});
  std::unique_ptr<TcpStream> near_, far_;
};

TEST_F(TcpStreamTest, PiecesAreGatheredAndScattered) {
  char sent[] = "opening words";
  const std::vector<iovec> from = {{sent, 3}, {sent + 3, 0}, {sent + 3, 10}};
  EXPECT_EQ(*loop_->RunTask(Write(near_.get(), from)), 13u);
  char got[14] = {};
  const std::vector<iovec> into = {{got, 5}, {got + 5, 8}};
  EXPECT_EQ(*loop_->RunTask(Read(far_.get(), into)), 13u);
  EXPECT_STREQ(got, sent);
}

TEST_F(TcpStreamTest, MorePiecesThanOneCallTakesMoveInPart) {
  std::vector<uint8_t> bytes(1000, 3);
  std::vector<iovec> pieces;
  for (uint8_t& byte : bytes) pieces.push_back({&byte, 1});
  const absl::StatusOr<size_t> written = loop_->RunTask(Write(near_.get(), pieces));
  ASSERT_TRUE(written.ok()) << written.status();
  EXPECT_GT(*written, 0u);
  EXPECT_LT(*written, 1000u);
}

TEST_F(TcpStreamTest, ClosedPeerReadsAsEndAndWritingToItIsUnavailable) {
  near_.reset();
  char byte = 0;
  const iovec piece{&byte, 1};
  EXPECT_EQ(*loop_->RunTask(Read(far_.get(), {&piece, 1})), 0u);
  EXPECT_EQ(loop_->RunTask(Write(far_.get(), {&piece, 1})).status().code(), absl::StatusCode::kUnavailable);
}

TEST_F(TcpStreamTest, CancelEndsAWaitingRead) {
  const auto run = [](TcpStreamTest* test) -> Task<absl::StatusCode> {
    TaskScope scope(test->loop_.get());
    absl::StatusCode code = absl::StatusCode::kOk;
    char byte = 0;
    const iovec piece{&byte, 1};
    const auto read = [](Stream* stream, const iovec* into, absl::StatusCode* out) -> Task<void> {
      Task<absl::StatusOr<size_t>> reading = Read(stream, {into, 1});
      const absl::StatusOr<size_t> count = co_await reading;
      *out = count.status().code();
    };
    scope.Spawn(read(test->far_.get(), &piece, &code));
    test->far_->CancelRead();
    co_await scope.Join();
    co_return code;
  };
  EXPECT_EQ(loop_->RunTask(run(this)), absl::StatusCode::kCancelled);
}

TEST_F(TcpStreamTest, CloseEndsWhatIsOutstandingAndAllThatFollows) {
  const auto run = [](TcpStreamTest* test) -> Task<bool> {
    TaskScope scope(test->loop_.get());
    bool ended = false;
    char byte = 0;
    const iovec piece{&byte, 1};
    const auto read = [](Stream* stream, const iovec* into, bool* out) -> Task<void> {
      Task<absl::StatusOr<size_t>> reading = Read(stream, {into, 1});
      const absl::StatusOr<size_t> count = co_await reading;
      *out = !count.ok() || *count == 0;
    };
    scope.Spawn(read(test->far_.get(), &piece, &ended));
    test->far_->Close();
    test->far_->Close();
    co_await scope.Join();
    co_return ended;
  };
  EXPECT_TRUE(loop_->RunTask(run(this)));
  char byte = 0;
  const iovec piece{&byte, 1};
  EXPECT_EQ(loop_->RunTask(Read(far_.get(), {&piece, 1})).status().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(loop_->RunTask(Write(far_.get(), {&piece, 1})).status().code(), absl::StatusCode::kCancelled);
}

TEST_F(TcpStreamTest, ReleasedDescriptorStaysOpen) {
  const int fd = far_->ReleaseFd();
  far_.reset();
  EXPECT_NE(fcntl(fd, F_GETFD), -1);
  close(fd);
}

TEST_F(TcpStreamTest, DestroyedStreamClosesItsDescriptor) {
  const int fd = far_->ReleaseFd();
  auto again = std::make_unique<TcpStream>(loop_.get(), fd, "again");
  again.reset();
  EXPECT_EQ(fcntl(fd, F_GETFD), -1);
}

}  // namespace
}  // namespace incipit
