#include "transport/unix/unix_stream.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include "transport/tcp/tcp_stream.h"

namespace incipit {
namespace {

class UnixStreamTest : public testing::Test {
 public:
  UnixStreamTest() {
    int fds[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    near_ = std::make_unique<UnixStream>(loop_.get(), fds[0], "near");
    far_ = std::make_unique<UnixStream>(loop_.get(), fds[1], "far");
  }
  static Task<absl::StatusOr<size_t>> WriteText(Stream* stream, std::string text) {
    const iovec pieces[] = {{text.data(), 1}, {text.data() + 1, text.size() - 1}};
    Task<absl::StatusOr<size_t>> writing = stream->Write(pieces);
    co_return co_await writing;
  }
  static Task<absl::StatusOr<std::string>> ReadText(Stream* stream) {
    char bytes[100];
    const iovec piece{bytes, sizeof(bytes)};
    Task<absl::StatusOr<size_t>> reading = stream->Read({&piece, 1});
    const absl::StatusOr<size_t> count = co_await reading;
    if (!count.ok()) co_return count.status();
    co_return std::string(bytes, *count);
  }
  void Send(const std::string& text, std::vector<int> fds = {}) {
    if (!fds.empty()) near_->AttachDescriptors(std::move(fds));
    ASSERT_TRUE(loop_->RunTask(WriteText(near_.get(), text)).ok());
  }
  absl::StatusOr<std::string> Read() { return loop_->RunTask(ReadText(far_.get())); }
  static int OpenDescriptors() {
    int open = 0;
    for (int fd = 0; fd < 512; ++fd) open += fcntl(fd, F_GETFD) >= 0 ? 1 : 0;
    return open;
  }

  std::unique_ptr<UringLoop> loop_ = *UringLoop::Create({});
  std::unique_ptr<UnixStream> near_, far_;
};

TEST_F(UnixStreamTest, PiecesAreGatheredAndThePeerIsKnown) {
  Send("opening words");
  EXPECT_EQ(*Read(), "opening words");
  ASSERT_TRUE(far_->peer_credentials().has_value());
  EXPECT_EQ(far_->peer_credentials()->uid, getuid());
  EXPECT_EQ(far_->peer_credentials()->gid, getgid());
  EXPECT_EQ(far_->peer_credentials()->pid, getpid());
}

TEST_F(UnixStreamTest, DescriptorsComeOnceAndInOrder) {
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  const OwnedFd reader(ends[0]), writer(ends[1]);
  Send("both", {reader.get(), writer.get()});
  EXPECT_EQ(*Read(), "both");
  std::vector<OwnedFd> first = far_->TakeDescriptors(1), rest = far_->TakeDescriptors(5);
  ASSERT_EQ(first.size(), 1u);
  ASSERT_EQ(rest.size(), 1u);
  EXPECT_TRUE(far_->TakeDescriptors(1).empty());
  ASSERT_EQ(write(rest[0].get(), "x", 1), 1);
  char byte = 0;
  ASSERT_EQ(read(first[0].get(), &byte, 1), 1);
  EXPECT_EQ(byte, 'x');
  EXPECT_NE(fcntl(first[0].get(), F_GETFD) & FD_CLOEXEC, 0);
  Send("none");
  EXPECT_EQ(*Read(), "none");
  EXPECT_TRUE(far_->TakeDescriptors(1).empty());
}

TEST_F(UnixStreamTest, TooManyDescriptorsEndTheConnectionAndAreClosed) {
  const int before = OpenDescriptors();
  const OwnedFd fd(open("/dev/null", O_RDONLY | O_CLOEXEC));
  const int one = fd.get();
  absl::Status status;
  for (int i = 0; i < 5 && status.ok(); ++i) {
    Send("x", {one, one, one, one});
    status = Read().status();
  }
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  EXPECT_EQ(OpenDescriptors(), before + 1);
}

TEST_F(UnixStreamTest, ClosedPeerReadsAsEndAndWritingToItIsUnavailable) {
  near_.reset();
  EXPECT_EQ(*Read(), "");
  EXPECT_TRUE(absl::IsUnavailable(loop_->RunTask(WriteText(far_.get(), "to nobody")).status()));
}

TEST_F(UnixStreamTest, CloseEndsAReadAndDescriptorsNotTakenAreClosed) {
  const int before = OpenDescriptors();
  const OwnedFd fd(open("/dev/null", O_RDONLY | O_CLOEXEC));
  Send("x", {fd.get()});
  EXPECT_TRUE(Read().ok());
  far_->Close();
  EXPECT_TRUE(absl::IsCancelled(Read().status()));
  far_.reset();
  near_.reset();
  EXPECT_EQ(OpenDescriptors(), before - 1);
}

TEST_F(UnixStreamTest, SocketsBecomeStreamsOfTheirKind) {
  const int fd = far_->ReleaseFd();
  const std::unique_ptr<Stream> stream = MakeSocketStream(loop_.get(), fd, "again");
  EXPECT_TRUE(stream->CarriesDescriptors());
  const std::unique_ptr<Stream> tcp = MakeSocketStream(loop_.get(), socket(AF_INET, SOCK_STREAM, 0), "tcp");
  EXPECT_FALSE(tcp->CarriesDescriptors());
  EXPECT_FALSE(tcp->peer_credentials().has_value());
  Send("still there");
  EXPECT_EQ(*loop_->RunTask(ReadText(stream.get())), "still there");
}

}  // namespace
}  // namespace incipit
