#include "transport/ucx/guard/ucx_greeting_check.h"

#include <ucs/type/status.h>

#include <algorithm>
#include <bit>

#include "cache/base/byte_reader.h"

namespace incipit {
namespace {

using namespace ucx_wire;

constexpr uint8_t kPeerErrorMode = 1, kAddressFromManager = 2;
constexpr uint8_t kLast = 0x80;                         // of devices, of interfaces, of endpoints
constexpr uint8_t kNoInterfaces = 0x80;                 // of a device, in its first byte
constexpr uint8_t kPaths = 0x40, kSystemDevice = 0x20;  // of a device, in its second byte
constexpr uint8_t kEndpoints = 0x40;                    // of an interface
constexpr size_t kEndpointBytes = 10;                   // u16 port, u64 key (uct_tcp_ep_addr_t)
constexpr size_t kInterfaceBytes = 2;                   // u16 port; less, and UCX reads what is behind it
constexpr int kMaxDevices = 8, kMaxInterfaces = 16, kMaxEndpoints = 5;  // where there are several
constexpr float kMostSeconds = 1, kMostBytesPerSecond = 1e15f;

// The greeting of a client or node of ours with UCX 1.13 and tcp alone, but for names, ports and costs: domain, device,
// transport, abilities of the interface, lengths, and the lane of its endpoint. With others, UCX finds no way to the
// peer, and does not always get over that.
constexpr uint8_t kTcpDomain = 0x20, kTcpDevice = kLast, kTcpInterface = kLast | kEndpoints | 2, kTcpLane = kLast | 1;
constexpr uint16_t kTcpName = 0x19cf;
constexpr uint32_t kTcpAbilities = 0x002303;

// What the peer says that its interface costs, from which UCX computes what is best. Not a number is never in between.
bool ReadAttributes(ByteReader* reader, uint32_t* abilities) {
  const auto between = [reader](float least, float most) {
    const auto value = std::bit_cast<float>(reader->Read<uint32_t>());
    return value >= least && value <= most;
  };
  const bool overhead = between(0, kMostSeconds), bandwidth = between(1, kMostBytesPerSecond);
  const bool latency = between(0, kMostSeconds);
  *abilities = reader->Read<uint32_t>() >> 8;  // behind the priority
  return reader->ok() && overhead && bandwidth && latency;
}

bool ReadInterface(ByteReader* reader, bool* last) {
  reader->Read<uint16_t>();  // checksum of the transport's name
  uint32_t abilities = 0;
  if (!ReadAttributes(reader, &abilities)) return false;
  const auto lengths = reader->Read<uint8_t>();
  *last = (lengths & kLast) != 0;
  const size_t bytes = lengths & ~(kLast | kEndpoints);
  reader->ReadBytes(bytes);
  if (bytes < kInterfaceBytes) return false;
  bool more = (lengths & kEndpoints) != 0;
  for (int i = 0; more && reader->ok(); ++i) {
    if (i == kMaxEndpoints || reader->Read<uint8_t>() != kEndpointBytes) return false;
    reader->ReadBytes(kEndpointBytes);
    more = (reader->Read<uint8_t>() & kLast) == 0;
  }
  return reader->ok();
}

bool ReadDevice(ByteReader* reader, bool* last) {
  const auto first = reader->Read<uint8_t>();
  const auto lengths = reader->Read<uint8_t>();
  *last = (lengths & kLast) != 0;
  if ((lengths & kPaths) != 0) reader->Read<uint8_t>();
  if ((lengths & kSystemDevice) != 0) reader->Read<uint8_t>();
  reader->ReadBytes(lengths & ~(kLast | kPaths | kSystemDevice));
  bool more = (first & kNoInterfaces) == 0;
  for (int i = 0; more && reader->ok(); ++i) {
    bool last_interface = false;
    if (i == kMaxInterfaces || !ReadInterface(reader, &last_interface)) return false;
    more = !last_interface;
  }
  return reader->ok();
}

// All of the address behind its version.
bool IsOfTcpAlone(ByteReader* reader) {
  const auto domain = reader->Read<uint8_t>(), device = reader->Read<uint8_t>();
  const auto name = reader->Read<uint16_t>();
  uint32_t abilities = 0;
  if (!ReadAttributes(reader, &abilities)) return false;
  const auto interface = reader->Read<uint8_t>();
  const auto port = reader->Read<uint16_t>();
  const auto endpoint_bytes = reader->Read<uint8_t>();
  const auto endpoint_port = reader->Read<uint16_t>();
  reader->Read<uint64_t>();
  const auto lane = reader->Read<uint8_t>();
  return reader->ok() && reader->AtEnd() && domain == kTcpDomain && device == kTcpDevice && name == kTcpName &&
         abilities == kTcpAbilities && interface == kTcpInterface && endpoint_bytes == kEndpointBytes && port != 0 &&
         endpoint_port == port && lane == kTcpLane;
}

}  // namespace

bool IsUcxGreetingBody(ByteView body, bool several) {
  ByteReader reader(body);
  reader.Read<uint64_t>();  // the sender's name for its endpoint
  const auto error_mode = reader.Read<uint8_t>();
  const auto address_mode = reader.Read<uint8_t>();
  const auto device = reader.Read<uint8_t>();
  const auto address_version = reader.Read<uint8_t>();
  if (!reader.ok() || error_mode != kPeerErrorMode || address_mode != kAddressFromManager || address_version != 0) {
    return false;
  }
  if (!several) return device == 0 && IsOfTcpAlone(&reader);
  bool last = false;
  for (int i = 0; !last; ++i) {
    if (i == kMaxDevices || !ReadDevice(&reader, &last)) return false;
  }
  return reader.AtEnd();
}

bool UcxGreetingCheck::Side::Take(ByteView* bytes) {
  if (header_bytes < header.size()) {
    const size_t take = std::min(bytes->size(), header.size() - header_bytes);
    std::memcpy(header.data() + header_bytes, bytes->data(), take);
    header_bytes += take;
    *bytes = bytes->subspan(take);
    if (header_bytes < header.size()) return false;
    std::memcpy(&body_bytes, header.data(), sizeof(body_bytes));
    status = static_cast<int8_t>(header[sizeof(body_bytes)]);
    body.clear();
  }
  if (body_bytes > kMaxGreetingBytes) return true;  // MayPass refuses it
  const size_t take = std::min<size_t>(bytes->size(), body_bytes - body.size());
  body.insert(body.end(), bytes->begin(), bytes->begin() + static_cast<ptrdiff_t>(take));
  *bytes = bytes->subspan(take);
  if (body.size() < body_bytes) return false;
  header_bytes = 0;
  ++messages;
  rejected = status == static_cast<int8_t>(UCS_ERR_REJECTED);
  return true;
}

bool UcxGreetingCheck::IsTheirTurn() const {
  if (in_.rejected || out_.rejected) return false;
  return accepted_ ? in_.messages == out_.messages && in_.messages < 2 : in_.messages == 0 && out_.messages == 1;
}

bool UcxGreetingCheck::MayPass() const {
  if (accepted_ && in_.messages == 2) return in_.body_bytes == 0 && in_.status == UCS_OK;
  if (!accepted_ && in_.rejected) return in_.body_bytes == 0;
  return in_.body_bytes <= kMaxGreetingBytes && in_.status == UCS_OK && IsUcxGreetingBody(in_.body, several_);
}

bool UcxGreetingCheck::OnReceived(ByteView bytes) {
  while (!bytes.empty()) {
    if (!IsTheirTurn()) return false;
    if (in_.Take(&bytes) && !MayPass()) return false;
  }
  return true;
}

void UcxGreetingCheck::OnSent(ByteView bytes) {
  while (!bytes.empty()) {
    if (out_.Take(&bytes) && out_.body_bytes > kMaxGreetingBytes) return;
  }
}

}  // namespace incipit
