// Listening and connecting on the tcp lane.
#pragma once

#include <memory>
#include <string>

#include "cache/runtime/uring_loop.h"
#include "transport/stream.h"
#include "transport/tcp/tcp_address.h"

namespace incipit {

// One thread: the loop's, except address().
class TcpListener : public Listener {
 public:
  // Binds and listens; port 0 takes a free one. Unavailable: in use or not allowed, with the address and the reason.
  static absl::StatusOr<std::unique_ptr<TcpListener>> Create(UringLoop* loop, const TcpAddress& address);
  ~TcpListener() override;
  Task<absl::StatusOr<std::unique_ptr<Stream>>> Accept() override;
  void Close() override;
  const TcpAddress& address() const { return address_; }  // with the port really taken

 private:
  TcpListener(UringLoop* loop, int fd, TcpAddress address) : loop_(loop), fd_(fd), address_(address) {}
  UringLoop* loop_;
  int fd_;
  TcpAddress address_;
  bool closed_ = false;
  UringOp* accept_op_ = nullptr;
};

class TcpConnector : public Connector {
 public:
  explicit TcpConnector(UringLoop* loop) : loop_(loop) {}
  Task<absl::StatusOr<std::unique_ptr<Stream>>> Connect(std::string address, int64_t deadline_ns) override;

 private:
  UringLoop* loop_;
};

}  // namespace incipit
