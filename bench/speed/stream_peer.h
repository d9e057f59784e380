// The ceiling of the tcp lane: a plain stream between this process and another one, with nothing but the bytes.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "bench/common/child_process.h"
#include "cache/base/bytes.h"

namespace incipit::bench {

// How both ends wait and how much one system call moves.
struct StreamVariant {
  enum class Waiting : uint32_t {
    kBlock = 0,  // blocking calls
    kSpin = 1,   // tries for 200 us, as our loop does, then sleeps
    kRing = 2,   // io_uring, one operation at a time
  };
  Waiting waiting = Waiting::kBlock;
  uint32_t chunk_bytes = 1 << 20;
  std::string Name() const;
};

// Seed of the payload pattern that the peer sends, at the position it was asked for.
inline constexpr uint64_t kStreamSeed = 0x73747265616d;

// The end in this process. Owner: one benchmark. One thread.
class StreamPeer {
 public:
  // Starts the other process, which holds `data_bytes` of touched memory to send from or receive into.
  static absl::StatusOr<std::unique_ptr<StreamPeer>> Start(uint64_t data_bytes);
  ~StreamPeer();

  // A new connection, as each measurement deserves: some are fast and some are slow for as long as they live.
  absl::Status Reconnect();
  // Receives `into.size()` bytes from position `position` of the peer's memory, which wraps.
  absl::Status Receive(StreamVariant variant, uint64_t position, MutableBytes into);
  // Sends; ends when the peer has it all.
  absl::Status Send(StreamVariant variant, uint64_t position, ByteView from);
  // Sends `request_bytes`, waits for `reply_bytes`, in plain blocking calls.
  absl::Status PingPong(ByteView request, MutableBytes reply);
  ChildProcess* process() { return &process_; }

 private:
  StreamPeer(ChildProcess process, int listen_fd) : process_(std::move(process)), listen_fd_(listen_fd) {}
  ChildProcess process_;
  int listen_fd_;
  int fd_ = -1;
};

// The other end: `incipit bench --stream-peer PORT`. Ends when its connections do.
absl::Status RunStreamPeer(uint16_t port, uint64_t data_bytes);

}  // namespace incipit::bench
