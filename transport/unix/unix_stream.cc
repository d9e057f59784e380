#include "transport/unix/unix_stream.h"

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "transport/tcp/tcp_stream.h"

namespace incipit {
namespace {

constexpr size_t kMaxPieces = 256;  // of one system call

absl::Status SocketError(const char* what, const std::string& peer, int error) {
  if (error == ECANCELED) return absl::CancelledError(absl::StrCat(what, " ", peer, ": cancelled"));
  return absl::UnavailableError(absl::StrCat(what, " ", peer, ": ", std::strerror(error)));
}

// Room for the control message that carries descriptors, aligned as the kernel's macros want it.
struct alignas(cmsghdr) ControlBytes {
  char bytes[CMSG_SPACE(sizeof(int) * UnixStream::kMaxDescriptorsPerWrite)];
};

void PutDescriptors(const std::vector<int>& fds, ControlBytes* control, msghdr* message) {
  if (fds.size() > UnixStream::kMaxDescriptorsPerWrite) std::abort();
  message->msg_control = control->bytes;
  message->msg_controllen = CMSG_SPACE(sizeof(int) * fds.size());
  cmsghdr* header = CMSG_FIRSTHDR(message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int) * fds.size());
  std::memcpy(CMSG_DATA(header), fds.data(), sizeof(int) * fds.size());
}

}  // namespace

std::optional<PeerCredentials> PeerCredentialsOf(int fd) {
  ucred credentials{};
  socklen_t bytes = sizeof(credentials);
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &bytes) != 0) return std::nullopt;
  return PeerCredentials{.uid = credentials.uid, .gid = credentials.gid, .pid = credentials.pid};
}

UnixStream::UnixStream(UringLoop* loop, int fd, std::string peer_name)
    : loop_(loop), fd_(fd), peer_name_(std::move(peer_name)), credentials_(PeerCredentialsOf(fd)) {}

UnixStream::~UnixStream() {
  if (read_op_ != nullptr || write_op_ != nullptr) std::abort();
}

Task<absl::StatusOr<size_t>> UnixStream::Read(std::span<const iovec> into) {
  if (closed_) co_return absl::CancelledError(absl::StrCat("read from ", peer_name_, ": stream is closed"));
  ControlBytes control;
  msghdr message{};
  message.msg_iov = const_cast<iovec*>(into.data());
  message.msg_iovlen = std::min(into.size(), kMaxPieces);
  message.msg_control = control.bytes;
  message.msg_controllen = sizeof(control.bytes);
  const int32_t result = co_await loop_->Submit(
      [&](io_uring_sqe* sqe) { io_uring_prep_recvmsg(sqe, fd_.get(), &message, MSG_CMSG_CLOEXEC); }, &read_op_);
  if (result < 0) co_return SocketError("read from", peer_name_, -result);
  if (absl::Status kept = KeepDescriptors(&message); !kept.ok()) co_return kept;
  co_return static_cast<size_t>(result);
}

absl::Status UnixStream::KeepDescriptors(msghdr* message) {
  for (cmsghdr* header = CMSG_FIRSTHDR(message); header != nullptr; header = CMSG_NXTHDR(message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    const size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(header) + i * sizeof(int), sizeof(int));
      received_.emplace_back(fd);
    }
  }
  if ((message->msg_flags & MSG_CTRUNC) == 0 && received_.size() <= kMaxDescriptorsWaiting) return absl::OkStatus();
  received_.clear();
  return absl::InvalidArgumentError(absl::StrCat(peer_name_, " sent more descriptors than messages that take them: at ",
                                                 "most ", kMaxDescriptorsPerWrite, " with one message"));
}

Task<absl::StatusOr<size_t>> UnixStream::Write(std::span<const iovec> from) {
  if (closed_) co_return absl::CancelledError(absl::StrCat("write to ", peer_name_, ": stream is closed"));
  ControlBytes control{};
  msghdr message{};
  message.msg_iov = const_cast<iovec*>(from.data());
  message.msg_iovlen = std::min(from.size(), kMaxPieces);
  if (!attached_.empty()) PutDescriptors(attached_, &control, &message);
  const int32_t result = co_await loop_->Submit(
      [&](io_uring_sqe* sqe) { io_uring_prep_sendmsg(sqe, fd_.get(), &message, MSG_NOSIGNAL); }, &write_op_);
  if (result < 0) co_return SocketError("write to", peer_name_, -result);
  if (result > 0) attached_.clear();  // They went with the first byte.
  co_return static_cast<size_t>(result);
}

void UnixStream::Close() {
  if (closed_) return;
  closed_ = true;
  if (fd_.valid()) shutdown(fd_.get(), SHUT_RDWR);
  loop_->Cancel(read_op_);
  loop_->Cancel(write_op_);
}

std::vector<OwnedFd> UnixStream::TakeDescriptors(size_t count) {
  std::vector<OwnedFd> taken;
  count = std::min(count, received_.size());
  for (size_t i = 0; i < count; ++i) taken.push_back(std::move(received_[i]));
  received_.erase(received_.begin(), received_.begin() + static_cast<std::ptrdiff_t>(count));
  return taken;
}

int UnixStream::ReleaseFd() {
  if (read_op_ != nullptr || write_op_ != nullptr) std::abort();
  closed_ = true;
  return fd_.Release();
}

std::unique_ptr<Stream> MakeSocketStream(UringLoop* loop, int fd, std::string peer_name) {
  int domain = 0;
  socklen_t bytes = sizeof(domain);
  if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &bytes) == 0 && domain == AF_UNIX) {
    return std::make_unique<UnixStream>(loop, fd, std::move(peer_name));
  }
  return std::make_unique<TcpStream>(loop, fd, std::move(peer_name));
}

}  // namespace incipit
