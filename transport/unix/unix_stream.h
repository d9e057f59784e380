// Stream over a connected Unix socket, moved by an UringLoop. Carries descriptors, and knows who connected.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cache/runtime/uring_loop.h"
#include "transport/stream.h"

namespace incipit {

// One thread: the loop's. Owns the socket, and descriptors that came with what was read until they are taken.
class UnixStream : public Stream {
 public:
  // With one write, and waiting to be taken. A peer that sends more has its connection ended, and they are closed.
  static constexpr size_t kMaxDescriptorsPerWrite = 4;
  static constexpr size_t kMaxDescriptorsWaiting = 16;

  // Takes `fd`, a connected socket. The loop must outlive the stream.
  UnixStream(UringLoop* loop, int fd, std::string peer_name);
  ~UnixStream() override;

  Task<absl::StatusOr<size_t>> Read(std::span<const iovec> into) override;
  Task<absl::StatusOr<size_t>> Write(std::span<const iovec> from) override;
  void CancelRead() override { loop_->Cancel(read_op_); }
  void Close() override;
  std::string PeerName() const override { return peer_name_; }
  LaneKind lane() const override { return LaneKind::kUnix; }
  std::optional<PeerCredentials> peer_credentials() const override { return credentials_; }
  bool CarriesDescriptors() const override { return true; }
  void AttachDescriptors(std::vector<int> fds) override { attached_ = std::move(fds); }
  std::vector<OwnedFd> TakeDescriptors(size_t count) override;
  int ReleaseFd() override;

 private:
  absl::Status KeepDescriptors(msghdr* message);

  UringLoop* loop_;
  OwnedFd fd_;
  bool closed_ = false;
  UringOp* read_op_ = nullptr;
  UringOp* write_op_ = nullptr;
  std::string peer_name_;
  std::optional<PeerCredentials> credentials_;
  std::vector<int> attached_;
  std::vector<OwnedFd> received_;
};

// Who connected to the socket `fd`; empty if it is not a Unix socket.
std::optional<PeerCredentials> PeerCredentialsOf(int fd);

// The stream of a connected socket by what the socket is: UnixStream or TcpStream. Takes `fd`.
std::unique_ptr<Stream> MakeSocketStream(UringLoop* loop, int fd, std::string peer_name);

}  // namespace incipit
