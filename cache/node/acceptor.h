// Takes new connections, reads their Hello, has tenants prove their secret, and passes each on to the shard it names.
// What is not proven never reaches a shard, and takes none of its sessions.
#pragma once

#include <functional>
#include <memory>

#include "cache/runtime/loop.h"
#include "cache/runtime/sync.h"
#include "cache/tenants/authenticator.h"
#include "transport/frame_channel.h"
#include "transport/stream.h"
#include "transport/wire/messages.h"

namespace incipit {

struct AcceptorOptions {
  uint16_t shard_count = 1;
  uint32_t hello_timeout_ms = 5000;        // a connection that is not through with its start by then is closed
  uint32_t max_waiting = 256;              // connections that are not through with their start yet
  Authenticator* authenticator = nullptr;  // null: nobody is asked for credentials
};

// One thread: the listener's loop.
class Acceptor {
 public:
  // Gets a channel from which exactly the Hello has been read, and the Proof if credentials were asked for.
  // `request_id` is that of the request which still waits for its answer.
  using Route =
      std::function<void(uint16_t shard, std::unique_ptr<FrameChannel>, wire::Hello, uint64_t request_id, SessionPass)>;

  Acceptor(Loop* loop, Listener* listener, AcceptorOptions options, Route route);
  // Accepts until Stop(). Ends when all handshakes have ended too.
  Task<void> Run();
  void Stop();

 private:
  // One connection on its way in.
  struct Guest {
    std::unique_ptr<FrameChannel> channel;
    wire::Hello hello;
    uint64_t request_id = 0;  // that waits for its answer
    SessionPass pass;
    uint32_t retry_after_us = 0;  // of a refusal
  };
  Task<void> Greet(std::unique_ptr<Stream> stream);
  Task<absl::Status> Receive(Guest* guest);
  Task<absl::Status> Challenge(Guest* guest, std::vector<uint8_t> hello_meta);
  absl::StatusOr<wire::Hello> Check(const IncomingFrame& frame) const;

  Loop* loop_;
  Listener* listener_;
  AcceptorOptions options_;
  Route route_;
  bool stopping_ = false;
  TaskScope greetings_;
  Event stop_;
};

}  // namespace incipit
