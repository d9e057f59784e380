// One socket of UCX's tcp: finds out what it is for, and has its bytes checked.
#pragma once

#include <memory>
#include <mutex>

#include "transport/ucx/guard/ucx_connection_check.h"
#include "transport/ucx/guard/ucx_greeting_check.h"

namespace incipit {

// Who speaks first made the connection; the magic number says that it is one for data, anything else that it is one of
// connection managers. Thread safe: UCX's own thread and a worker's may both use a socket.
class UcxWatchedSocket {
 public:
  // A number that the kernel gives to no other socket; 0: of none.
  uint64_t cookie = 0;
  std::mutex mutex;  // guards all below, and cookie

  // As a new socket: nothing has been sent or received.
  void Begin(uint64_t new_cookie, UcxConnectionCheck::Options options);
  // False: UCX must not see these bytes, nor any further ones.
  bool OnReceived(ByteView bytes);
  void OnSent(ByteView bytes);
  // How many bytes may be read at once.
  size_t MaxReceive() const { return connection_ == nullptr ? SIZE_MAX : connection_->MaxReceive(); }
  // Nothing passes any more, whatever still comes.
  void End() { refused_ = true; }
  bool refused() const { return refused_; }

 private:
  void Decide();
  bool Check(ByteView bytes);

  UcxConnectionCheck::Options options_;
  bool refused_ = false;
  enum class First { kNobody, kWe, kPeer } first_ = First::kNobody;
  std::array<uint8_t, ucx_wire::kMagicBytes> beginning_{};
  size_t beginning_bytes_ = 0;
  std::unique_ptr<UcxConnectionCheck> connection_;
  std::unique_ptr<UcxGreetingCheck> greeting_;
};

}  // namespace incipit
