#include "tests/processes/ucx_rogue_frames.h"

namespace incipit::campaign {
namespace {

using testing::Packed;
using testing::UcxFrameOf;

constexpr uint8_t kFill = 0xee;

}  // namespace

Bytes UcxRogueFrames::Noise(size_t bytes) {
  Bytes noise(bytes);
  random_->Fill(noise);
  return noise;
}

uint64_t UcxRogueFrames::Address() {
  if (memory_.empty() || Pick(8) == 0) return Pick(2) == 0 ? random_->Next() : Pick(4096);
  const auto& [begin, end] = memory_[Pick(memory_.size())];
  return begin + Pick(end - begin);
}

uint64_t UcxRogueFrames::Length() {
  constexpr uint64_t kEdges[] = {0, 1, 8, 64, 4096, 65536, 1u << 20, 0x7fffffff, 0xffffffff, 1ull << 40, UINT64_MAX};
  return Pick(2) == 0 ? kEdges[Pick(std::size(kEdges))] : Pick(5000);
}

// PUT of the transport, with and without its bytes; PUT, GET, atomics and their answers of the layer above.
Bytes UcxRogueFrames::RemoteMemory() {
  const uint64_t bytes = Pick(2) == 0 ? Pick(200) : Length();
  Packed frame;
  switch (Pick(7)) {
    case 0:
    case 1:
      frame.Append(testing::UcxPutFrame(Address(), bytes));
      return frame.Fill(std::min<uint64_t>(bytes, Pick(4096)), kFill).bytes;
    case 2:  // its acknowledgement
      return UcxFrameOf(34, Packed().Add(static_cast<uint32_t>(random_->Next())).bytes);
    case 3:
      return UcxFrameOf(17, Packed().Add(Address()).Add(Name()).Add(uint8_t{0}).Fill(Pick(300), kFill).bytes);
    case 4:
      frame.Add(Address()).Add(bytes).Add(Name()).Add(Name()).Add(uint8_t{0});
      return UcxFrameOf(18, frame.bytes);
    case 5:
      frame.Add(Address()).Add(Name()).Add(Name()).Add(uint8_t{8}).Add(uint8_t(Pick(8))).Add(random_->Next());
      return UcxFrameOf(20, frame.bytes);
    default:
      return UcxFrameOf(Pick(2) == 0 ? 19 : 22, Packed().Add(Name()).Add(Length()).Fill(Pick(100), kFill).bytes);
  }
}

Bytes UcxRogueFrames::Rendezvous() {
  switch (Pick(5)) {
    case 0:
      return testing::UcxDataFrame(Name(), Length(), Pick(3000));
    case 1: {
      Bytes ready = testing::UcxReadyFrame(Name(), Name(), Length(), Pick(2) * Address());
      if (Pick(2) == 0) ready.back() = static_cast<uint8_t>(random_->Next());
      return ready;
    }
    case 2:
      return UcxFrameOf(10, Packed().Add(Name()).Add(uint8_t(Pick(256))).bytes);
    case 3:
      return UcxFrameOf(16, Packed().Add(Name()).Add(uint8_t(Pick(256))).bytes);
    default:
      return testing::UcxStartFrame(Name(), Length(), Pick(2) * Address(), static_cast<uint8_t>(Pick(3)));
  }
}

Bytes UcxRogueFrames::Messages(const testing::RawUcxPeer& peer) {
  UcxMessage message{.kind = static_cast<UcxMessageKind>(Pick(4) + 1), .sequence = Pick(4), .taken = Pick(2)};
  message.token[0] = static_cast<uint8_t>(Pick(4));
  Bytes frame = peer.Message(message, Noise(Pick(200)));
  switch (Pick(5)) {
    case 0:  // another handler, of ten thousands
      frame[5] = static_cast<uint8_t>(random_->Next());
      frame[6] = static_cast<uint8_t>(random_->Next());
      break;
    case 1: {  // a header longer than the message
      const auto bytes = static_cast<uint32_t>(Length());
      std::memcpy(&frame[9], &bytes, sizeof(bytes));
      break;
    }
    case 2: {  // another's endpoint, or a pointer
      const uint64_t name = Name();
      std::memcpy(&frame[frame.size() - 8], &name, sizeof(name));
      break;
    }
    case 3:  // the first or a later piece of a message in pieces, or of a kind of message that we do not use
      frame[0] = static_cast<uint8_t>(Pick(2) == 0 ? 24 + Pick(2) : Pick(32));
      break;
    default:
      Damage(&frame);
  }
  return frame;
}

void UcxRogueFrames::Damage(Bytes* bytes) {
  for (uint64_t times = Pick(3) + 1; times > 0 && !bytes->empty(); --times) {
    const size_t at = Pick(bytes->size());
    switch (Pick(4)) {
      case 0:
        (*bytes)[at] ^= static_cast<uint8_t>(1u << Pick(8));
        break;
      case 1:
        (*bytes)[at] = static_cast<uint8_t>(random_->Next());
        break;
      case 2:
        bytes->resize(at);
        break;
      default: {
        const Bytes more = Noise(Pick(60));
        bytes->insert(bytes->end(), more.begin(), more.end());
      }
    }
  }
}

Bytes UcxRogueFrames::Next(const testing::RawUcxPeer& peer) {
  Bytes frame;
  const uint64_t kind = Pick(10);
  if (kind < 4) {
    frame = RemoteMemory();
  } else if (kind < 6) {
    frame = Rendezvous();
  } else if (kind < 8) {
    frame = Messages(peer);
  } else if (kind == 8) {  // of the transport itself: about connections, or of any kind
    frame = Pick(2) == 0 ? UcxFrameOf(32, Packed().Add(uint32_t(Pick(6))).Fill(Pick(40), 1).bytes)
                         : UcxFrameOf(static_cast<uint8_t>(random_->Next()), Noise(Pick(300)));
  } else {
    frame = Packed().Add(uint8_t(Pick(40))).Add(static_cast<uint32_t>(Length())).Append(Noise(Pick(300))).bytes;
  }
  if (Pick(10) == 0) frame.resize(Pick(frame.size() + 1));
  return frame;
}

Bytes UcxRogueFrames::Stranger() {
  Packed bytes;
  if (Pick(10) == 0) return Noise(Pick(300));
  bytes.Add(ucx_wire::kMagic);
  switch (Pick(4)) {
    case 0:
      return bytes.Append(RemoteMemory()).bytes;
    case 1: {
      const TcpAddress from = testing::Ipv4(Pick(4) == 0 ? "127.0.0.2" : "127.0.0.1", uint16_t(random_->Next()));
      Bytes connect = testing::UcxConnectFrame(from, Name(), static_cast<uint8_t>(Pick(3)));
      if (Pick(2) == 0) Damage(&connect);
      return bytes.Append(connect).bytes;
    }
    case 2:
      return bytes.Append(Rendezvous()).bytes;
    default:
      return bytes.Append(Noise(Pick(300))).bytes;
  }
}

}  // namespace incipit::campaign
