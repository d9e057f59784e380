// The best plain stream of this machine, found by trying, then measured beside the thing it bounds.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "bench/speed/stream_peer.h"

namespace incipit::bench {

enum class StreamDirection { kReceive, kSend };  // as seen from this process, which is the worker

// Owner: one benchmark. One thread.
class StreamCeiling {
 public:
  // Starts the peer with `data_bytes` of memory and tries all variants with `buffer`, twice each; keeps the fastest.
  static absl::StatusOr<std::unique_ptr<StreamCeiling>> Create(StreamDirection direction, uint64_t data_bytes,
                                                               MutableBytes buffer);
  // Before each measurement: a connection of its own.
  absl::Status Reconnect() { return peer_->Reconnect(); }
  // Moves the whole buffer once; gives the seconds it took. Received bytes are verified afterwards, at the same cost
  // to the caches as a benchmark's own check; DataLoss if they are wrong.
  absl::StatusOr<double> Move(MutableBytes buffer);
  const StreamVariant& variant() const { return variant_; }
  std::string Name() const;

 private:
  explicit StreamCeiling(StreamDirection direction) : direction_(direction) {}
  StreamDirection direction_;
  std::unique_ptr<StreamPeer> peer_;
  StreamVariant variant_;
  uint64_t data_bytes_ = 0;
  uint64_t position_ = 0;  // in the peer's memory; goes round
};

}  // namespace incipit::bench
