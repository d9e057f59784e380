// A hostile peer's connections: it is a tenant of the node like another, and looks for a victim's bytes in all it gets.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tests/conformance/lane.h"
#include "tests/conformance/peer_memory.h"
#include "tests/conformance/raw_peer.h"
#include "tests/conformance/rogue_mind.h"

namespace incipit::conformance {

// All frames by hand. After every attempt it asks for a Pong, so that whatever the node did about it has been done.
class RogueSession {
 public:
  // `marker` is in every few bytes of the victim's blocks, and in nothing else.
  RogueSession(Lane* lane, Layout layout, std::string marker)
      : lane_(lane), layout_(std::move(layout)), marker_(std::move(marker)) {}

  // Proves that it is `tenant` and opens its namespace. `sent` gets the frames of that, for others to play again.
  absl::Status Connect(const std::string& tenant,
                       std::vector<std::pair<wire::FrameHeader, std::vector<uint8_t>>>* sent);
  // Shares memory if the lane can do that.
  absl::Status ShareMemory(PeerMemory* memory);
  bool connected() const { return peer_ != nullptr; }
  uint32_t namespace_id() const { return namespace_id_; }
  RawPeer* peer() { return peer_.get(); }

  // Ends with the connection closed or in step. Unavailable: it was cut off.
  absl::Status Try(const Attempt& attempt);
  // Sends a load that names shared memory, and waits for its end.
  absl::Status LoadShared(const std::vector<wire::RegionRef>& pieces, uint32_t slot, const std::vector<uint8_t>& load);
  // Passes a descriptor as a region that it may not be.
  absl::Status Register(uint32_t region_id, uint64_t bytes, int fd);
  void Close() { peer_.reset(); }

  uint64_t frames_received() const { return frames_received_; }
  uint64_t bytes_received() const { return bytes_received_; }
  // Frames in which the marker was.
  uint64_t foreign_frames() const { return foreign_frames_; }

 private:
  struct Received {
    wire::FrameHeader header;
    std::vector<uint8_t> meta, payload;
  };
  static Task<absl::StatusOr<Received>> ReceiveTask(FrameChannel* channel);
  static Task<absl::Status> WriteAll(FrameChannel* channel, ByteView bytes);
  absl::StatusOr<Received> Receive();
  // Reads until the last answer to `id`.
  absl::StatusOr<Received> ReceiveAnswer(uint64_t id);
  absl::Status Give(wire::FrameType type, const std::vector<uint8_t>& meta,
                    std::vector<std::pair<wire::FrameHeader, std::vector<uint8_t>>>* sent);

  Lane* lane_;
  Layout layout_;
  std::string marker_;
  std::unique_ptr<RawPeer> peer_;
  uint32_t namespace_id_ = 0;
  uint64_t next_id_ = 1ull << 40;
  uint64_t frames_received_ = 0, bytes_received_ = 0, foreign_frames_ = 0;
};

}  // namespace incipit::conformance
