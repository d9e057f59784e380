// Listening and connecting on the unix lane.
#pragma once

#include <sys/stat.h>

#include <memory>
#include <string>

#include "cache/runtime/uring_loop.h"
#include "transport/stream.h"
#include "transport/unix/unix_address.h"

namespace incipit {

// One thread: the loop's, except address().
class UnixListener : public Listener {
 public:
  // Binds and listens. `mode` are the permissions of the socket's file: who may write to it may connect; abstract names
  // have none. A socket file that nobody listens on any more (its node was killed) is replaced; any other file is
  // not. Unavailable: in use or not allowed, with the address and the reason.
  static absl::StatusOr<std::unique_ptr<UnixListener>> Create(UringLoop* loop, const UnixAddress& address, mode_t mode);
  // Removes the socket's file, if it is still the one that was made.
  ~UnixListener() override;
  Task<absl::StatusOr<std::unique_ptr<Stream>>> Accept() override;
  void Close() override;
  const UnixAddress& address() const { return address_; }

 private:
  UnixListener(UringLoop* loop, OwnedFd fd, UnixAddress address)
      : loop_(loop), fd_(std::move(fd)), address_(std::move(address)) {}
  absl::Status Bind();
  absl::Status Publish(mode_t mode);

  UringLoop* loop_;
  OwnedFd fd_;
  UnixAddress address_;
  ino_t inode_ = 0;  // of the socket's file; 0 = none was made
  dev_t device_ = 0;
  bool closed_ = false;
  UringOp* accept_op_ = nullptr;
};

class UnixConnector : public Connector {
 public:
  explicit UnixConnector(UringLoop* loop) : loop_(loop) {}
  Task<absl::StatusOr<std::unique_ptr<Stream>>> Connect(std::string address, int64_t deadline_ns) override;

 private:
  UringLoop* loop_;
};

}  // namespace incipit
