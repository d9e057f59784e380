#include "transport/ucx/guard/ucx_connection_check.h"

#include <algorithm>

#include "cache/base/byte_reader.h"
#include "transport/ucx/ucx_message.h"

namespace incipit {
namespace {

using namespace ucx_wire;

// For our handler, and with a user header that is there: `bytes` are what is not UCX's own. Flags: only what UCX's
// senders may set.
bool IsOurMessage(const UcxFrame& frame, size_t bytes) {
  ByteReader reader(frame.head);
  const auto handler = reader.Read<uint16_t>();
  const auto flags = reader.Read<uint16_t>();
  const auto header_bytes = reader.Read<uint32_t>();
  return reader.ok() && handler == UcxMessage::kActiveMessageId && flags < 8 && header_bytes <= bytes;
}

uint64_t LastWord(ByteView tail) {
  uint64_t word = 0;
  if (tail.size() >= sizeof(word)) std::memcpy(&word, tail.data() + tail.size() - sizeof(word), sizeof(word));
  return word;
}

ByteView HostOf(const TcpAddress& address) {
  if (address.storage.ss_family == AF_INET) {
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(&address.storage);
    return {reinterpret_cast<const uint8_t*>(&v4->sin_addr), sizeof(v4->sin_addr)};
  }
  const auto* v6 = reinterpret_cast<const sockaddr_in6*>(&address.storage);
  return {reinterpret_cast<const uint8_t*>(&v6->sin6_addr), sizeof(v6->sin6_addr)};
}

uint16_t PortOf(const TcpAddress& address) {
  return ntohs(address.storage.ss_family == AF_INET
                   ? reinterpret_cast<const sockaddr_in*>(&address.storage)->sin_port
                   : reinterpret_cast<const sockaddr_in6*>(&address.storage)->sin6_port);
}

// Of two interfaces the one with the lower address makes the connection (uct_tcp_cm_ep_accept_conn).
bool IsLower(const TcpAddress& a, const TcpAddress& b) {
  const int order = std::memcmp(HostOf(a).data(), HostOf(b).data(), HostOf(a).size());
  return order < 0 || (order == 0 && PortOf(a) < PortOf(b));
}

}  // namespace

bool UcxConnectionCheck::MayBegin(uint8_t id, uint32_t bytes) {
  if (bytes > kMaxFrameBytes || ended_) return false;
  if (!connected_) return id == kConnect && bytes > kConnectRequestBytes && bytes <= 64;
  switch (id) {
    case kWireup:
      return options_.may_wireup && bytes <= kMaxWireupBytes;
    case kRendezvousStart:
      return bytes >= kRendezvousStartBytes && bytes <= kRendezvousStartBytes + kMaxUserHeaderBytes;
    case kRendezvousDone:
      return bytes == kRendezvousDoneBytes || bytes == kRendezvousDoneBytes + sizeof(uint64_t);
    case kRendezvousReady:
      return bytes >= kRendezvousReadyBytes && bytes <= 256;
    case kRendezvousData:
      return bytes > kRendezvousDataBytes;
    case kMessage:
      return bytes >= kMessageBytes;
    case kMessageReply:
      return bytes >= kMessageBytes + kMessageReplyTailBytes;
    case kConnect:
      return bytes == sizeof(uint32_t);
    case kPut:
      return bytes == kPutBytes;
    case kPutDone:
      return bytes == sizeof(uint32_t);
    case kKeepalive:
      return bytes == 0;
    default:  // PUT and GET of the layer above, atomics, what is for tags and streams, messages in pieces
      return false;
  }
}

bool UcxConnectionCheck::MayPass(const UcxFrame& frame) {
  switch (frame.id) {
    case kRendezvousStart:
      return MayStart(frame);
    case kRendezvousDone: {
      ByteReader reader(frame.head);
      return announced_.erase(reader.Read<uint64_t>()) == 1;
    }
    case kRendezvousReady:
      return MayBeReady(frame);
    case kRendezvousData:
      return MayCarryData(frame);
    case kMessage:
      return IsOurMessage(frame, frame.bytes - kMessageBytes);
    case kMessageReply:
      return IsOurMessage(frame, frame.bytes - kMessageBytes - kMessageReplyTailBytes) &&
             (LastWord(frame.tail) & kLookedUp) != 0;
    case kConnect:
      return MayConnect(frame);
    case kPut:  // of nothing, to nowhere
      return std::ranges::all_of(frame.head.first(2 * sizeof(uint64_t)), [](uint8_t byte) { return byte == 0; });
    case kPutDone:
      return MayAnswerQuestion(frame);
    default:
      return true;
  }
}

bool UcxConnectionCheck::MayConnect(const UcxFrame& frame) {
  ByteReader reader(frame.head);
  const auto event = reader.Read<uint32_t>();
  if (connected_) return ended_ = event == kConnectEnd;
  const auto flags = reader.Read<uint8_t>();
  const auto endpoint = reader.Read<uint64_t>();
  TcpAddress claimed;
  claimed.bytes = options_.own.storage.ss_family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
  const ByteView address = reader.ReadBytes(claimed.bytes);
  if (!reader.ok() || !reader.AtEnd() || event != kConnectRequest || flags != kConnectToEndpoint) return false;
  std::memcpy(&claimed.storage, address.data(), address.size());
  if (claimed.storage.ss_family != options_.own.storage.ss_family ||
      options_.peer.storage.ss_family != options_.own.storage.ss_family) {
    return false;
  }
  connected_ = (endpoint & kLookedUp) != 0 && std::ranges::equal(HostOf(claimed), HostOf(options_.peer)) &&
               IsLower(claimed, options_.own);
  return connected_;
}

bool UcxConnectionCheck::MayStart(const UcxFrame& frame) {
  ByteReader reader(frame.head);
  reader.ReadBytes(kMessageBytes);
  const auto endpoint = reader.Read<uint64_t>();
  const auto request = reader.Read<uint64_t>();
  const auto address = reader.Read<uint64_t>();
  const auto bytes = reader.Read<uint64_t>();
  const auto kind = reader.Read<uint8_t>();
  return reader.ok() && IsOurMessage(frame, frame.bytes - kRendezvousStartBytes) && (endpoint & kLookedUp) != 0 &&
         address == 0 && bytes > 0 && bytes <= UcxMessage::kMaxBytes && kind == kRendezvousOfMessage &&
         started_.size() < kMaxRequests && started_.emplace(request, bytes).second;
}

// "Put it there." Over tcp nobody puts, but UCX reads the key that comes with an address, and ends the process if it
// does not understand it.
bool UcxConnectionCheck::MayBeReady(const UcxFrame& frame) {
  ByteReader reader(frame.head);
  const auto ours = announced_.find(reader.Read<uint64_t>());
  if (ours == announced_.end()) return false;
  reader.Read<uint64_t>();
  const auto address = reader.Read<uint64_t>();
  const auto bytes = reader.Read<uint64_t>();
  const auto offset = reader.Read<uint64_t>();
  const ByteView key = reader.ReadBytes(reader.remaining());
  const bool without_key = std::ranges::all_of(key, [](uint8_t byte) { return byte == 0; });
  const bool named = address != 0;  // otherwise all fields are 0
  if (!reader.ok() || bytes != (named ? ours->second : 0) || offset != 0 || !without_key) return false;
  if (named == key.empty()) return false;
  announced_.erase(ours);
  return true;
}

bool UcxConnectionCheck::MayCarryData(const UcxFrame& frame) {
  ByteReader reader(frame.head);
  const auto ours = offered_.find(reader.Read<uint64_t>());
  const auto offset = reader.Read<uint64_t>();
  if (!reader.ok() || ours == offered_.end()) return false;
  Receive& receive = ours->second;
  const uint64_t bytes = frame.bytes - kRendezvousDataBytes;
  if (offset != receive.received || bytes > receive.bytes - receive.received) return false;
  receive.received += bytes;
  if (receive.received == receive.bytes) offered_.erase(ours);
  return true;
}

// UCX ends the process at an answer without a question (uct_tcp_ep_handle_put_ack).
bool UcxConnectionCheck::MayAnswerQuestion(const UcxFrame& frame) {
  const auto number = ByteReader(frame.head).Read<uint32_t>();
  if (!asked_ || static_cast<int32_t>(question_ - number) < 0) return false;
  asked_ = number != question_;
  return true;
}

void UcxConnectionCheck::Learn(const UcxFrame& frame) {
  ByteReader reader(frame.head);
  if (frame.id == kRendezvousStart) {
    reader.ReadBytes(kMessageBytes + sizeof(uint64_t));
    const auto request = reader.Read<uint64_t>();
    reader.Read<uint64_t>();
    const auto bytes = reader.Read<uint64_t>();
    if (announced_.size() < kMaxRequests) announced_[request] = bytes;
  } else if (frame.id == kRendezvousReady) {
    const auto theirs = started_.find(reader.Read<uint64_t>());
    const auto ours = reader.Read<uint64_t>();
    if (theirs == started_.end()) return;
    offered_[ours] = {.bytes = theirs->second};
    started_.erase(theirs);
  } else if (frame.id == kPut) {
    reader.ReadBytes(2 * sizeof(uint64_t));
    question_ = reader.Read<uint32_t>();
    asked_ = true;
  } else if (frame.id == kRendezvousDone) {
    started_.erase(reader.Read<uint64_t>());
  }
}

}  // namespace incipit
