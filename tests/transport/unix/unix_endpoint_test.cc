#include "transport/unix/unix_endpoint.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

namespace incipit {
namespace {

using StreamOr = absl::StatusOr<std::unique_ptr<Stream>>;

class UnixEndpointTest : public testing::Test {
 public:
  UnixEndpointTest() : path_(testing::TempDir() + "incipit-" + std::to_string(getpid()) + ".sock") {
    unlink(path_.c_str());
  }
  ~UnixEndpointTest() override { unlink(path_.c_str()); }
  absl::StatusOr<std::unique_ptr<UnixListener>> Listen(const std::string& address, mode_t mode = 0600) {
    return UnixListener::Create(loop_.get(), *ParseUnixAddress(address), mode);
  }
  bool Exists() const { return access(path_.c_str(), F_OK) == 0; }
  static Task<StreamOr> Connect(Connector* connector, std::string address) {
    Task<StreamOr> connecting = connector->Connect(std::move(address), kForeverNs);
    co_return co_await connecting;
  }
  static Task<StreamOr> Accept(Listener* listener) {
    Task<StreamOr> accepting = listener->Accept();
    co_return co_await accepting;
  }

  std::unique_ptr<UringLoop> loop_ = *UringLoop::Create({});
  UnixConnector connector_{loop_.get()};
  std::string path_;
};

TEST_F(UnixEndpointTest, ConnectsByPathWithTheModeThatWasAskedForAndRemovesTheFile) {
  auto listener = Listen(path_, 0640);
  ASSERT_TRUE(listener.ok()) << listener.status();
  struct stat info {};
  ASSERT_EQ(stat(path_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0640u);
  StreamOr near = loop_->RunTask(Connect(&connector_, "unix://" + path_));
  ASSERT_TRUE(near.ok()) << near.status();
  StreamOr far = loop_->RunTask(Accept(listener->get()));
  ASSERT_TRUE(far.ok()) << far.status();
  EXPECT_EQ((*far)->peer_credentials()->uid, getuid());
  EXPECT_NE((*far)->PeerName().find("uid " + std::to_string(getuid())), std::string::npos);
  listener->reset();
  EXPECT_FALSE(Exists());
}

TEST_F(UnixEndpointTest, AbstractNamesLeaveNoFile) {
  const std::string name = "unix://@incipit-endpoint-" + std::to_string(getpid());
  auto listener = Listen(name);
  ASSERT_TRUE(listener.ok()) << listener.status();
  EXPECT_TRUE(loop_->RunTask(Connect(&connector_, name)).ok());
  EXPECT_TRUE(absl::IsUnavailable(Listen(name).status()));
  listener->reset();
  EXPECT_TRUE(absl::IsUnavailable(loop_->RunTask(Connect(&connector_, name)).status()));
}

TEST_F(UnixEndpointTest, FileOfAKilledNodeIsReplacedThatOfALivingOneIsNot) {
  {  // As kill -9 leaves it: a file, and nobody behind it.
    const OwnedFd dead(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const UnixAddress address = *ParseUnixAddress(path_);
    ASSERT_EQ(bind(dead.get(), reinterpret_cast<const sockaddr*>(&address.storage), address.bytes), 0);
  }
  ASSERT_TRUE(Exists());
  auto listener = Listen(path_);
  ASSERT_TRUE(listener.ok()) << listener.status();
  const absl::Status second = Listen(path_).status();
  EXPECT_TRUE(absl::IsUnavailable(second)) << second;
  EXPECT_TRUE(Exists());
  EXPECT_TRUE(loop_->RunTask(Connect(&connector_, path_)).ok());
}

TEST_F(UnixEndpointTest, OtherFilesAreLeftAlone) {
  std::ofstream(path_) << "somebody's data";
  EXPECT_TRUE(absl::IsUnavailable(Listen(path_).status()));
  EXPECT_TRUE(Exists());
  EXPECT_TRUE(absl::IsUnavailable(Listen("/nonexistent-directory/node.sock").status()));
}

// Another node took the place meanwhile: its file is not ours to remove.
TEST_F(UnixEndpointTest, OnlyItsOwnFileIsRemoved) {
  auto first = Listen(path_);
  ASSERT_TRUE(first.ok());
  ASSERT_EQ(unlink(path_.c_str()), 0);
  auto second = Listen(path_);
  ASSERT_TRUE(second.ok()) << second.status();
  first->reset();
  EXPECT_TRUE(Exists());
}

TEST_F(UnixEndpointTest, CloseEndsAccept) {
  auto listener = Listen(path_);
  ASSERT_TRUE(listener.ok());
  (*listener)->Close();
  EXPECT_TRUE(absl::IsCancelled(loop_->RunTask(Accept(listener->get())).status()));
}

TEST_F(UnixEndpointTest, NobodyThereIsUnavailable) {
  EXPECT_TRUE(absl::IsUnavailable(loop_->RunTask(Connect(&connector_, path_)).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(loop_->RunTask(Connect(&connector_, "unix://nowhere")).status()));
}

}  // namespace
}  // namespace incipit
