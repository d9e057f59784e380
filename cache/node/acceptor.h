// Takes new connections, reads their Hello, and passes each on to the shard it names.
#pragma once

#include <functional>
#include <memory>

#include "cache/runtime/loop.h"
#include "cache/runtime/sync.h"
#include "transport/frame_channel.h"
#include "transport/stream.h"
#include "transport/wire/messages.h"

namespace incipit {

struct AcceptorOptions {
  uint16_t shard_count = 1;
  uint32_t hello_timeout_ms = 5000;  // a connection that says nothing for so long is closed
  uint32_t max_waiting = 256;        // connections that have not said Hello yet
};

// One thread: the listener's loop.
class Acceptor {
 public:
  // Gets a channel from which exactly the Hello has been read.
  using Route = std::function<void(uint16_t shard, std::unique_ptr<FrameChannel>, wire::Hello, uint64_t request_id)>;

  Acceptor(Loop* loop, Listener* listener, AcceptorOptions options, Route route);
  // Accepts until Stop(). Ends when all handshakes have ended too.
  Task<void> Run();
  void Stop();

 private:
  class Handshake;
  Task<void> Greet(std::unique_ptr<Stream> stream);
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
