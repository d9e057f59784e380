// Seam 4 of 5. A connected, ordered byte stream, and how to get one. Messages are the business of FrameChannel.
// Real: TcpStream and UnixStream on io_uring, UcxStream on UCX. In memory: MemNetwork's streams. Faulty: MemNetwork
// with faults (cuts, partial transfers, delays, flipped bits).
#pragma once

#include <sys/uio.h>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "cache/runtime/task.h"
#include "transport/owned_fd.h"
#include "transport/peer_credentials.h"

namespace incipit {

class LandedDigests;

// By which lane bytes travel, for what is counted by lane. What runs in memory counts as tcp.
enum class LaneKind : uint8_t { kTcp, kUnix, kUcx };
inline constexpr size_t kLaneKinds = 3;

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
  // begin. From here to the end of EndExpectedReads() the memory may be written to at any time, and `digests`, which
  // may be null, be told of what is copied there. REQUIRES: no promise stands.
  virtual void ExpectRead(std::span<const iovec>, LandedDigests*) {}
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
  virtual LaneKind lane() const { return LaneKind::kTcp; }

  // What only lanes within one host have.
  // The kernel's word on who connected. Empty on lanes that cross hosts: there, nobody's identity is known this way.
  virtual std::optional<PeerCredentials> peer_credentials() const { return std::nullopt; }
  // Whether descriptors can travel with the bytes.
  virtual bool CarriesDescriptors() const { return false; }
  // Copies of `fds` go with the first byte of the next Write; they must stay open until it ends. REQUIRES:
  // CarriesDescriptors().
  virtual void AttachDescriptors(std::vector<int>) {}
  // The descriptors that came with what was read so far, in order; each is given once.
  virtual std::vector<OwnedFd> TakeDescriptors(size_t) { return {}; }
  // Gives away the socket under the stream, for handing a connection to another thread; -1 if there is none.
  // REQUIRES: nothing outstanding.
  virtual int ReleaseFd() { return -1; }
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
