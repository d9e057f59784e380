// Bytes of UCX's tcp, made by hand: as our lane's peers send them, and to be spoilt.
#pragma once

#include <arpa/inet.h>

#include <vector>

#include "transport/ucx/guard/ucx_connection_check.h"
#include "transport/ucx/ucx_message.h"

namespace incipit::testing {

// Little-endian fields, one after the other.
class Packed {
 public:
  template <typename T>
  Packed& Add(T value) {
    const auto* from = reinterpret_cast<const uint8_t*>(&value);
    bytes.insert(bytes.end(), from, from + sizeof(value));
    return *this;
  }
  Packed& Fill(size_t count, uint8_t value = 0) {
    bytes.insert(bytes.end(), count, value);
    return *this;
  }
  Packed& Append(const std::vector<uint8_t>& more) {
    bytes.insert(bytes.end(), more.begin(), more.end());
    return *this;
  }
  std::vector<uint8_t> bytes;
};

using Bytes = std::vector<uint8_t>;

inline Bytes UcxFrameOf(uint8_t id, const Bytes& body) {
  return Packed().Add(id).Add(static_cast<uint32_t>(body.size())).Append(body).bytes;
}
inline Packed UcxMessageStart(uint16_t handler = UcxMessage::kActiveMessageId,
                              uint32_t header_bytes = UcxMessage::kHeaderBytes) {
  return Packed().Add(handler).Add(uint16_t{0}).Add(header_bytes);
}
inline Bytes UcxMessageFrame(size_t data_bytes) {
  return UcxFrameOf(ucx_wire::kMessage, UcxMessageStart().Fill(data_bytes + UcxMessage::kHeaderBytes).bytes);
}
inline Bytes UcxStartFrame(uint64_t request, uint64_t bytes, uint64_t address = 0, uint8_t kind = 1) {
  Packed body = UcxMessageStart();
  body.Add(uint64_t{3}).Add(request).Add(address).Add(bytes).Add(kind).Fill(UcxMessage::kHeaderBytes);
  return UcxFrameOf(ucx_wire::kRendezvousStart, body.bytes);
}
inline Bytes UcxReadyFrame(uint64_t theirs, uint64_t ours, uint64_t bytes, uint64_t address = 0) {
  Packed body;
  body.Add(theirs).Add(ours).Add(address).Add(address == 0 ? uint64_t{0} : bytes).Add(uint64_t{0});
  body.Fill(address == 0 ? 0 : 9);
  return UcxFrameOf(ucx_wire::kRendezvousReady, body.bytes);
}
inline Bytes UcxDataFrame(uint64_t request, uint64_t offset, size_t bytes) {
  return UcxFrameOf(ucx_wire::kRendezvousData, Packed().Add(request).Add(offset).Fill(bytes, 0xda).bytes);
}
inline Bytes UcxPutFrame(uint64_t address, uint64_t bytes) {
  return UcxFrameOf(33, Packed().Add(address).Add(bytes).Add(uint32_t{1}).bytes);
}
inline TcpAddress Ipv4(const char* host, uint16_t port) {
  TcpAddress address;
  auto* v4 = reinterpret_cast<sockaddr_in*>(&address.storage);
  v4->sin_family = AF_INET;
  v4->sin_port = htons(port);
  inet_pton(AF_INET, host, &v4->sin_addr);
  address.bytes = sizeof(sockaddr_in);
  return address;
}
inline Bytes UcxConnectFrame(const TcpAddress& from, uint64_t endpoint, uint8_t flags = 1) {
  const auto* address = reinterpret_cast<const uint8_t*>(&from.storage);
  Packed body;
  body.Add(uint32_t{1}).Add(flags).Add(endpoint).Append({address, address + from.bytes});
  return UcxFrameOf(ucx_wire::kConnect, body.bytes);
}

// A client's first message to a connection manager, as UCX 1.13 sends it over tcp.
inline Bytes UcxGreetingBody() {
  Packed body;
  body.Add(uint64_t{0x11}).Add(uint8_t{1}).Add(uint8_t{2}).Add(uint8_t{0});            // endpoint, modes, device
  body.Add(uint8_t{0}).Add(uint8_t{0x20}).Add(uint8_t{0x80});                          // version, domain, last device
  body.Add(uint16_t{0x19cf}).Add(5e-5f).Add(1e9f).Add(1e-5f).Add(uint32_t{0x230301});  // transport, costs, abilities
  body.Add(uint8_t{0x80 | 0x40 | 2}).Add(uint16_t{5000});                              // transport and interface
  body.Add(uint8_t{10}).Add(uint16_t{5000}).Add(uint64_t{7}).Add(uint8_t{0x81});       // endpoint, the last
  return body.bytes;
}
inline Bytes UcxGreeting(const Bytes& body, int8_t status = 0) {
  return Packed().Add(uint64_t{body.size()}).Add(status).Fill(7).Append(body).bytes;
}

}  // namespace incipit::testing
