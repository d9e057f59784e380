// What may come on a connection between two interfaces of UCX's tcp: what our own lane sends, and nothing else.
#pragma once

#include <cstdint>

#include "absl/container/flat_hash_map.h"
#include "transport/tcp/tcp_address.h"
#include "transport/ucx/guard/ucx_frame_cutter.h"

namespace incipit {

// UCX believes its peers: it writes where their PUT says, uses names in their messages as pointers, and ends the
// process where a length is not as it should be. So its bytes are looked at first. What is let through besides messages
// of a known form names only requests that UCX itself has told this very peer, once each, within their sizes. One
// connection, from its first byte; bytes of both directions in the order in which UCX has them. One thread.
class UcxConnectionCheck {
 public:
  struct Options {
    bool accepted = false;    // the peer made the connection, and has sent the magic number
    bool may_wireup = false;  // endpoints have several transports, and agree on them
    TcpAddress own, peer;     // of the socket
  };
  explicit UcxConnectionCheck(Options options) : options_(options), connected_(!options.accepted) {}
  // False: the connection must end, and UCX must not see these bytes.
  bool OnReceived(ByteView bytes) {
    Incoming incoming(this);
    return in_.Take(bytes, &incoming);
  }
  // How many bytes may be read next. UCX gives a connection to its endpoint at the end of the peer's request for one,
  // and ends the process if it has read the beginning of a frame behind that.
  size_t MaxReceive() const { return connected_ ? SIZE_MAX : in_.BytesToCome(); }
  void OnSent(ByteView bytes) {
    Outgoing outgoing(this);
    (void)out_.Take(bytes, &outgoing);
  }

 private:
  static constexpr size_t kMaxRequests = 4096;  // of one kind, under way

  struct Incoming : UcxFrameVisitor {
    explicit Incoming(UcxConnectionCheck* owner) : check(owner) {}
    bool OnBegin(uint8_t id, uint32_t bytes) override { return check->MayBegin(id, bytes); }
    bool OnFrame(const UcxFrame& frame) override { return check->MayPass(frame); }
    UcxConnectionCheck* check;
  };
  struct Outgoing : UcxFrameVisitor {
    explicit Outgoing(UcxConnectionCheck* owner) : check(owner) {}
    bool OnBegin(uint8_t, uint32_t) override { return true; }
    bool OnFrame(const UcxFrame& frame) override {
      check->Learn(frame);
      return true;
    }
    UcxConnectionCheck* check;
  };
  struct Receive {
    uint64_t bytes = 0, received = 0;
  };

  bool MayBegin(uint8_t id, uint32_t bytes);
  bool MayPass(const UcxFrame& frame);
  bool MayConnect(const UcxFrame& frame);
  bool MayStart(const UcxFrame& frame);
  bool MayBeReady(const UcxFrame& frame);
  bool MayCarryData(const UcxFrame& frame);
  bool MayAnswerQuestion(const UcxFrame& frame);
  void Learn(const UcxFrame& frame);

  Options options_;
  bool connected_, ended_ = false;
  bool asked_ = false;     // whether all has come
  uint32_t question_ = 0;  // number of the last such question
  UcxFrameCutter in_, out_;
  absl::flat_hash_map<uint64_t, uint64_t> started_;    // what they want to send, by their request: bytes
  absl::flat_hash_map<uint64_t, uint64_t> announced_;  // what we want to send, by our request: bytes
  absl::flat_hash_map<uint64_t, Receive> offered_;     // what we take, by our request
};

}  // namespace incipit
