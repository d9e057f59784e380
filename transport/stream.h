// Seam 4 of 5. A connected, ordered byte stream, and how to get one. Messages are the business of FrameChannel.
// Real: TcpStream on io_uring. In memory: MemNetwork's streams. Faulty: MemNetwork with faults (cuts, partial
// transfers, delays, flipped bits).
#pragma once

#include <sys/uio.h>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "absl/status/statusor.h"
#include "cache/runtime/task.h"

namespace incipit {

// One thread only. At most one Read and one Write outstanding at a time, each kept awaited until it ends.
class Stream {
 public:
  virtual ~Stream() = default;  // REQUIRES: nothing outstanding
  // Reads at least one byte into the pieces, as many as are there; 0 = the peer closed. A read of 64 KiB or more may
  // wait for more than the first byte: ask for so many only if all of them must come. Cancelled after CancelRead or
  // Close, Unavailable if the connection broke.
  virtual Task<absl::StatusOr<size_t>> Read(std::span<const iovec> into) = 0;
  // Writes at least one byte. The bytes must not change until it ends.
  virtual Task<absl::StatusOr<size_t>> Write(std::span<const iovec> from) = 0;
  // Promises that the next reads will ask for exactly these bytes, so that a lane which moves bytes by itself may
  // begin. From here to the end of EndExpectedReads() the memory may be written to at any time. REQUIRES: no promise
  // stands.
  virtual void ExpectRead(std::span<const iovec>) {}
  virtual bool WantsExpectations() const { return false; }  // otherwise they are not worth making
  // Takes the promise back, fulfilled or not; what was not read stays to be read, by any memory.
  virtual Task<void> EndExpectedReads() { co_return; }
  // The most that one Write should be given; 0 = the caller knows best.
  virtual uint64_t MaxTransferBytes() const { return 0; }
  // Makes an outstanding Read end soon, with the bytes it already has or Cancelled. Harmless without one.
  virtual void CancelRead() = 0;
  // Ends both directions and makes outstanding operations end soon. Idempotent.
  virtual void Close() = 0;
  virtual std::string PeerName() const = 0;
};

class Listener {
 public:
  virtual ~Listener() = default;
  virtual Task<absl::StatusOr<std::unique_ptr<Stream>>> Accept() = 0;
  virtual void Close() = 0;  // an outstanding Accept ends with Cancelled
};

class Connector {
 public:
  virtual ~Connector() = default;
  // Unavailable: refused or unreachable, DeadlineExceeded: no answer by `deadline_ns` of the loop's clock.
  virtual Task<absl::StatusOr<std::unique_ptr<Stream>>> Connect(std::string address, int64_t deadline_ns) = 0;
};

}  // namespace incipit
