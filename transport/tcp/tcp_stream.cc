#include "transport/tcp/tcp_stream.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"

namespace incipit {
namespace {

// One system call moves at most this much, so that a long transfer leaves the thread free for others in between.
constexpr size_t kMaxPieces = 256;
constexpr size_t kLargeReadBytes = 64 << 10;
constexpr size_t kLowWaterBytes = 256 << 10;

// A host that is gone says nothing. An idle connection with it ends after so long: 10 + 3 * 2 s.
constexpr int kKeepaliveIdleSeconds = 10, kKeepaliveProbeSeconds = 2, kKeepaliveProbes = 3;

absl::Status SocketError(const char* what, const std::string& peer, int error) {
  if (error == ECANCELED) return absl::CancelledError(absl::StrCat(what, " ", peer, ": cancelled"));
  return absl::UnavailableError(absl::StrCat(what, " ", peer, ": ", std::strerror(error)));
}

}  // namespace

TcpStream::TcpStream(UringLoop* loop, int fd, std::string peer_name)
    : loop_(loop), fd_(fd), peer_name_(std::move(peer_name)) {
  const int one = 1;  // Fails on Unix sockets, which have no such delay.
  setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
  setsockopt(fd_, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
  setsockopt(fd_, IPPROTO_TCP, TCP_KEEPIDLE, &kKeepaliveIdleSeconds, sizeof(int));
  setsockopt(fd_, IPPROTO_TCP, TCP_KEEPINTVL, &kKeepaliveProbeSeconds, sizeof(int));
  setsockopt(fd_, IPPROTO_TCP, TCP_KEEPCNT, &kKeepaliveProbes, sizeof(int));
}

TcpStream::~TcpStream() {
  if (read_op_ != nullptr || write_op_ != nullptr) std::abort();
  if (fd_ >= 0) close(fd_);
}

// A receiver that is faster than the sender would otherwise be woken for every packet, at the sender's cost. Large
// reads are of bytes that must come, so waiting for a good part of them cannot hang.
void TcpStream::SetLowWater(std::span<const iovec> into) {
  size_t wanted = 0;
  for (size_t i = 0; i < std::min(into.size(), kMaxPieces); ++i) wanted += into[i].iov_len;
  const int low_water = wanted < kLargeReadBytes ? 1 : static_cast<int>(std::min(wanted, kLowWaterBytes));
  if (low_water == low_water_) return;
  if (setsockopt(fd_, SOL_SOCKET, SO_RCVLOWAT, &low_water, sizeof(low_water)) == 0) low_water_ = low_water;
}

Task<absl::StatusOr<size_t>> TcpStream::Read(std::span<const iovec> into) {
  if (closed_) co_return absl::CancelledError(absl::StrCat("read from ", peer_name_, ": stream is closed"));
  msghdr message{};
  message.msg_iov = const_cast<iovec*>(into.data());
  message.msg_iovlen = std::min(into.size(), kMaxPieces);
  SetLowWater(into);
  const int32_t result = co_await loop_->Submit(
      [&](io_uring_sqe* sqe) {
        if (into.size() == 1) {
          io_uring_prep_recv(sqe, fd_, into[0].iov_base, into[0].iov_len, 0);
        } else {
          io_uring_prep_recvmsg(sqe, fd_, &message, 0);
        }
      },
      &read_op_);
  if (result < 0) co_return SocketError("read from", peer_name_, -result);
  co_return static_cast<size_t>(result);
}

Task<absl::StatusOr<size_t>> TcpStream::Write(std::span<const iovec> from) {
  if (closed_) co_return absl::CancelledError(absl::StrCat("write to ", peer_name_, ": stream is closed"));
  msghdr message{};
  message.msg_iov = const_cast<iovec*>(from.data());
  message.msg_iovlen = std::min(from.size(), kMaxPieces);
  const int32_t result = co_await loop_->Submit(
      [&](io_uring_sqe* sqe) { io_uring_prep_sendmsg(sqe, fd_, &message, MSG_NOSIGNAL); }, &write_op_);
  if (result < 0) co_return SocketError("write to", peer_name_, -result);
  co_return static_cast<size_t>(result);
}

void TcpStream::Close() {
  if (closed_) return;
  closed_ = true;
  if (fd_ >= 0) shutdown(fd_, SHUT_RDWR);
  loop_->Cancel(read_op_);
  loop_->Cancel(write_op_);
}

int TcpStream::ReleaseFd() {
  if (read_op_ != nullptr || write_op_ != nullptr) std::abort();
  closed_ = true;
  return std::exchange(fd_, -1);
}

}  // namespace incipit
