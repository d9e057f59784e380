// Stream over a connected TCP socket, moved by an UringLoop.
#pragma once

#include <memory>
#include <string>

#include "cache/runtime/uring_loop.h"
#include "transport/stream.h"

namespace incipit {

// One thread: the loop's. Owns the descriptor.
class TcpStream : public Stream {
 public:
  // Takes `fd`, a connected socket, and sets TCP_NODELAY and keepalive. The loop must outlive the stream.
  TcpStream(UringLoop* loop, int fd, std::string peer_name);
  ~TcpStream() override;

  Task<absl::StatusOr<size_t>> Read(std::span<const iovec> into) override;
  Task<absl::StatusOr<size_t>> Write(std::span<const iovec> from) override;
  void CancelRead() override { loop_->Cancel(read_op_); }
  void Close() override;
  std::string PeerName() const override { return peer_name_; }

  int ReleaseFd() override;

 private:
  void SetLowWater(std::span<const iovec> into);

  UringLoop* loop_;
  int fd_;
  int low_water_ = 1;  // bytes that must be there before the socket counts as readable
  bool closed_ = false;
  UringOp* read_op_ = nullptr;
  UringOp* write_op_ = nullptr;
  std::string peer_name_;
};

}  // namespace incipit
