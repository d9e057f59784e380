#include "transport/unix/unix_endpoint.h"

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "cache/base/status_macros.h"
#include "transport/cancel_at.h"
#include "transport/unix/unix_stream.h"

namespace incipit {
namespace {

constexpr int kBacklog = 1024;

absl::StatusOr<OwnedFd> MakeSocket() {
  OwnedFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return absl::UnavailableError(absl::StrCat("socket: ", std::strerror(errno), "; raise ulimit -n"));
  return fd;
}

const sockaddr* AddressOf(const UnixAddress& address) { return reinterpret_cast<const sockaddr*>(&address.storage); }

// True if a file of a socket is there and nobody listens on it.
bool IsStale(const UnixAddress& address) {
  struct stat info {};
  if (address.abstract() || lstat(address.path.c_str(), &info) != 0 || !S_ISSOCK(info.st_mode)) return false;
  const OwnedFd probe(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  return probe.valid() && connect(probe.get(), AddressOf(address), address.bytes) != 0 && errno == ECONNREFUSED;
}

}  // namespace

absl::Status UnixListener::Bind() {
  if (bind(fd_.get(), AddressOf(address_), address_.bytes) == 0) return absl::OkStatus();
  int error = errno;
  if (error == EADDRINUSE && IsStale(address_)) {
    unlink(address_.path.c_str());
    if (bind(fd_.get(), AddressOf(address_), address_.bytes) == 0) return absl::OkStatus();
    error = errno;
  }
  return absl::UnavailableError(absl::StrCat(
      "listen on ", address_.ToString(), ": ", std::strerror(error),
      error == EADDRINUSE ? "; another node listens there, or a file that is no socket is in the way" : ""));
}

// Permissions come before listen(): until then every connection is refused, so nobody slips in with the wrong ones.
absl::Status UnixListener::Publish(mode_t mode) {
  if (!address_.abstract()) {
    struct stat info {};
    if (lstat(address_.path.c_str(), &info) != 0 || chmod(address_.path.c_str(), mode) != 0) {
      return absl::UnavailableError(absl::StrCat("mode of ", address_.ToString(), ": ", std::strerror(errno)));
    }
    inode_ = info.st_ino;
    device_ = info.st_dev;
  }
  if (listen(fd_.get(), kBacklog) == 0) return absl::OkStatus();
  return absl::UnavailableError(absl::StrCat("listen on ", address_.ToString(), ": ", std::strerror(errno)));
}

absl::StatusOr<std::unique_ptr<UnixListener>> UnixListener::Create(UringLoop* loop, const UnixAddress& address,
                                                                   mode_t mode) {
  ASSIGN_OR_RETURN(OwnedFd fd, MakeSocket());
  std::unique_ptr<UnixListener> listener(new UnixListener(loop, std::move(fd), address));
  RETURN_IF_ERROR(listener->Bind());
  RETURN_IF_ERROR(listener->Publish(mode));
  return listener;
}

UnixListener::~UnixListener() {
  if (accept_op_ != nullptr) std::abort();
  struct stat info {};
  if (inode_ == 0 || lstat(address_.path.c_str(), &info) != 0) return;
  if (info.st_ino == inode_ && info.st_dev == device_) unlink(address_.path.c_str());
}

Task<absl::StatusOr<std::unique_ptr<Stream>>> UnixListener::Accept() {
  if (closed_) co_return absl::CancelledError("listener is closed");
  const int32_t fd = co_await loop_->Submit(
      [&](io_uring_sqe* sqe) { io_uring_prep_accept(sqe, fd_.get(), nullptr, nullptr, SOCK_CLOEXEC); }, &accept_op_);
  if (fd == -ECANCELED) co_return absl::CancelledError("listener is closed");
  if (fd < 0) co_return absl::UnavailableError(absl::StrCat("accept: ", std::strerror(-fd)));
  std::string name = address_.ToString();
  if (const std::optional<PeerCredentials> peer = PeerCredentialsOf(fd); peer.has_value()) {
    absl::StrAppend(&name, " uid ", peer->uid, " pid ", peer->pid);
  }
  std::unique_ptr<Stream> stream = std::make_unique<UnixStream>(loop_, fd, std::move(name));
  co_return stream;
}

void UnixListener::Close() {
  closed_ = true;
  loop_->Cancel(accept_op_);
}

Task<absl::StatusOr<std::unique_ptr<Stream>>> UnixConnector::Connect(std::string address, int64_t deadline_ns) {
  absl::StatusOr<UnixAddress> target = ParseUnixAddress(address);
  if (!target.ok()) co_return target.status();
  absl::StatusOr<OwnedFd> fd = MakeSocket();
  if (!fd.ok()) co_return fd.status();
  UringOp* op = nullptr;
  int32_t result = 0;
  {
    CancelAt cancel(loop_, &op, deadline_ns);  // A full backlog makes it wait.
    result = co_await loop_->Submit(
        [&](io_uring_sqe* sqe) { io_uring_prep_connect(sqe, fd->get(), AddressOf(*target), target->bytes); }, &op);
  }
  if (result == -ECANCELED) {
    co_return absl::DeadlineExceededError(absl::StrCat("connect to ", target->ToString(), ": no answer in time"));
  }
  if (result < 0) {
    co_return absl::UnavailableError(absl::StrCat("connect to ", target->ToString(), ": ", std::strerror(-result)));
  }
  std::unique_ptr<Stream> stream = std::make_unique<UnixStream>(loop_, fd->Release(), target->ToString());
  co_return stream;
}

}  // namespace incipit
