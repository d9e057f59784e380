#include "transport/tcp/tcp_endpoint.h"

#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "cache/base/status_macros.h"
#include "transport/cancel_at.h"
#include "transport/tcp/tcp_stream.h"

namespace incipit {
namespace {

constexpr int kBacklog = 1024;
// Keepalive says nothing while bytes are under way. A host that takes none for so long has gone. It also ends peers
// that are there and do not read, whom the stall watch of sessions cuts off earlier.
constexpr unsigned kUnackedMs = 16'000;

}  // namespace

absl::StatusOr<std::unique_ptr<TcpListener>> TcpListener::Create(UringLoop* loop, const TcpAddress& address) {
  const int fd = socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return absl::UnavailableError(absl::StrCat("socket: ", std::strerror(errno)));
  std::unique_ptr<TcpListener> listener(new TcpListener(loop, fd, address));
  const int one = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
  if (bind(fd, reinterpret_cast<const sockaddr*>(&address.storage), address.bytes) != 0 || listen(fd, kBacklog) != 0) {
    return absl::UnavailableError(absl::StrCat("listen on ", address.ToString(), ": ", std::strerror(errno)));
  }
  listener->address_.bytes = sizeof(listener->address_.storage);
  getsockname(fd, reinterpret_cast<sockaddr*>(&listener->address_.storage), &listener->address_.bytes);
  return listener;
}

TcpListener::~TcpListener() {
  if (accept_op_ != nullptr) std::abort();
  close(fd_);
}

Task<absl::StatusOr<std::unique_ptr<Stream>>> TcpListener::Accept() {
  if (closed_) co_return absl::CancelledError("listener is closed");
  TcpAddress peer;
  peer.bytes = sizeof(peer.storage);
  const int32_t fd = co_await loop_->Submit(
      [&](io_uring_sqe* sqe) {
        io_uring_prep_accept(sqe, fd_, reinterpret_cast<sockaddr*>(&peer.storage), &peer.bytes, SOCK_CLOEXEC);
      },
      &accept_op_);
  if (fd == -ECANCELED) co_return absl::CancelledError("listener is closed");
  if (fd < 0) co_return absl::UnavailableError(absl::StrCat("accept: ", std::strerror(-fd)));
  setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &kUnackedMs, sizeof(kUnackedMs));
  std::unique_ptr<Stream> stream = std::make_unique<TcpStream>(loop_, fd, peer.ToString());
  co_return stream;
}

void TcpListener::Close() {
  closed_ = true;
  loop_->Cancel(accept_op_);
}

Task<absl::StatusOr<std::unique_ptr<Stream>>> TcpConnector::Connect(std::string address, int64_t deadline_ns) {
  absl::StatusOr<TcpAddress> target = ResolveTcpAddress(address);
  if (!target.ok()) co_return target.status();
  const int fd = socket(target->storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) co_return absl::UnavailableError(absl::StrCat("socket: ", std::strerror(errno), "; raise ulimit -n"));
  UringOp* op = nullptr;
  int32_t result = 0;
  {
    CancelAt cancel(loop_, &op, deadline_ns);
    result = co_await loop_->Submit(
        [&](io_uring_sqe* sqe) {
          io_uring_prep_connect(sqe, fd, reinterpret_cast<const sockaddr*>(&target->storage), target->bytes);
        },
        &op);
  }
  if (result < 0) {
    close(fd);
    if (result == -ECANCELED)
      co_return absl::DeadlineExceededError(absl::StrCat("connect to ", address, ": no answer in time"));
    co_return absl::UnavailableError(absl::StrCat("connect to ", address, ": ", std::strerror(-result)));
  }
  std::unique_ptr<Stream> stream = std::make_unique<TcpStream>(loop_, fd, target->ToString());
  co_return stream;
}

}  // namespace incipit
