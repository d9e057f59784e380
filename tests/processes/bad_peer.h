// A client that does not keep to the wire format, over a plain socket.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "transport/wire/messages.h"

namespace incipit::campaign {

// What came back on a connection.
struct Reaction {
  enum Kind { kReply, kError, kClosed, kSilence } kind = kSilence;
  absl::StatusCode code = absl::StatusCode::kOk;  // of an Error
  std::string message;
  std::vector<uint8_t> meta;  // of a reply
};

using Bytes = std::vector<uint8_t>;

// A whole frame with a right checksum, whatever its meta says.
Bytes FrameOf(wire::FrameType type, const Bytes& meta, uint64_t payload_bytes = 0);
template <typename Message>
Bytes FrameOf(wire::FrameType type, const Message& message, uint64_t payload_bytes = 0) {
  Bytes meta;
  message.Encode(&meta);
  return FrameOf(type, meta, payload_bytes);
}
// Overwrites bytes at `at`, little-endian.
template <typename T>
Bytes Patched(Bytes bytes, size_t at, T value) {
  for (size_t i = 0; i < sizeof(T); ++i) bytes[at + i] = static_cast<uint8_t>(value >> (8 * i));
  return bytes;
}

class BadPeer {
 public:
  // Connects to "tcp://host:port"; connected() says whether that went well.
  explicit BadPeer(const std::string& address);
  ~BadPeer();
  BadPeer(const BadPeer&) = delete;
  BadPeer& operator=(const BadPeer&) = delete;
  bool connected() const { return fd_ >= 0; }

  // Sends until all is taken or the node closes; false if it closed, or takes nothing for `patience_ms`.
  bool Send(const Bytes& bytes, int patience_ms = 10'000);
  // Tells the node that nothing more will come.
  void EndSending();
  // Waits for the next frame.
  Reaction Receive(int patience_ms = 10'000);
  // Says Hello and opens a namespace, rightly. The last word of the node; kReply if all is well.
  Reaction Greet(const Layout& layout);

 private:
  bool ReadExactly(void* into, size_t bytes, int patience_ms, bool* closed);

  int fd_ = -1;
};

}  // namespace incipit::campaign
