// What UCX 1.13 puts on its tcp connections, as far as our lane lets it. Little-endian, packed.
// Source: src/uct/tcp/tcp.h, src/ucp/core/{ucp_types,ucp_am}.h, src/ucp/rndv/rndv.h, src/ucp/proto/proto_am.h.
#pragma once

#include <cstddef>
#include <cstdint>

namespace incipit::ucx_wire {

// The first bytes from whoever made a connection between two interfaces (UCT_TCP_MAGIC_NUMBER).
inline constexpr uint64_t kMagic = 0xCAFEBABE12345678;
inline constexpr size_t kMagicBytes = 8;

// Then frames: u8 id, u32 bytes of the body, body.
inline constexpr size_t kFrameHeaderBytes = 5;
inline constexpr size_t kMaxFrameBytes = 1 << 20;  // of the body: RX_SEG_SIZE (transport/ucx/ucx_config.cc)

enum FrameId : uint8_t {
  kWireup = 1,            // about endpoints, in a form of its own; only sent where one has several transports
  kRendezvousStart = 9,   // u16 handler, u16 flags, u32 user header; u64 endpoint, u64 request; u64 address, u64 bytes;
                          // u8 kind; keys; user header
  kRendezvousDone = 10,   // u64 request of ours, i8 status: the receiver has it, or does not want it; perhaps u64
                          // bytes
  kRendezvousReady = 11,  // u64 request of ours, u64 request of theirs, u64 address, u64 bytes, u64 offset; key
  kRendezvousData = 12,   // u64 request of ours, u64 offset; bytes
  kMessage = 23,          // u16 handler, u16 flags, u32 user header; data, user header
  kMessageReply = 26,     // the same, and u64 endpoint
  kConnect = 32,          // of the transport itself: u32 event, and what belongs to it
  kPut = 33,              // u64 address, u64 bytes, u32 number; then the bytes, without a frame. Of nothing: a question
                          // whether all has come
  kPutDone = 34,          // u32 number: the answer
  kKeepalive = 35,        // empty
};
inline constexpr size_t kRendezvousStartBytes = 41, kRendezvousDoneBytes = 9, kRendezvousReadyBytes = 40;
inline constexpr size_t kRendezvousDataBytes = 16, kMessageBytes = 8, kMessageReplyTailBytes = 8;
inline constexpr size_t kPutBytes = 20, kMaxUserHeaderBytes = 64;
inline constexpr uint8_t kRendezvousOfMessage = 1;
inline constexpr size_t kMaxWireupBytes = 4096;

// kConnect, event 1: u8 flags, u64 endpoint of the receiver, and the sender's socket address. Event 4, nothing: it
// ends.
inline constexpr uint32_t kConnectRequest = 1, kConnectEnd = 4;
inline constexpr uint8_t kConnectToEndpoint = 1;
inline constexpr size_t kConnectRequestBytes = 13;

// Names of endpoints and requests with this bit are looked up in a table; others are used as pointers as they are
// (ucs_ptr_map_get).
inline constexpr uint64_t kLookedUp = 1;

// On connections between connection managers, both ways: u64 bytes of the body, i8 status, 7 unused, body.
inline constexpr size_t kGreetingHeaderBytes = 16;
inline constexpr size_t kMaxGreetingBytes = 2048;

}  // namespace incipit::ucx_wire
