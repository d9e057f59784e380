// Input: a place and stored bytes. What was not sealed must never open, nor leave anything in the memory it was to go
// to: the bytes as they are, then a right segment with them as changes, then it cut or moved by what they say.
#include <algorithm>
#include <cstring>
#include <vector>

#include "cache/base/xxh3.h"
#include "client/src/codec/sealed_codec.h"
#include "tests/fuzz/check.h"
#include "tests/support/format_samples.h"

namespace {

using incipit::ByteView;
using incipit::SealedCodec;
using Bytes = std::vector<uint8_t>;

// Each input has a key of its own: the mutator learns from comparisons what earlier inputs sealed, and that would open.
Bytes KeyOf(ByteView input) {
  Bytes key = incipit::samples::CountingBytes(32);
  const uint64_t hash = incipit::Xxh3Of(input);
  std::memcpy(key.data(), &hash, sizeof(hash));
  return key;
}

struct World {
  explicit World(ByteView input)
      : codec(*incipit::SealingKey::FromBytes(KeyOf(input)).value(),
              incipit::FrameNamespace(incipit::samples::SampleNamespace())) {}
  SealedCodec codec;
  Bytes identity = incipit::samples::SampleIdentity();
};

bool Opens(World* world, uint16_t index, ByteView stored, const Bytes& expected) {
  Bytes raw(expected.size(), 0xaa);
  const size_t first = raw.size() / 3;
  const iovec pieces[] = {{raw.data(), first}, {raw.data() + first, raw.size() - first}};
  const bool opened = world->codec.Decode({world->identity, index}, stored, pieces);
  if (opened) {
    FUZZ_CHECK(raw == expected, "what opens is what was sealed");
  } else {
    FUZZ_CHECK(std::all_of(raw.begin(), raw.end(), [](uint8_t byte) { return byte == 0; }), "a failure leaves zeros");
  }
  return opened;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 4) return 0;
  World made({data, size});
  World* world = &made;
  const uint16_t index = data[0], moved = data[1];
  const size_t raw_bytes = 1 + data[2], cut = data[3];
  const ByteView changes(data + 4, size - 4);
  Bytes raw(raw_bytes);
  std::copy_n(data, std::min(size, raw_bytes), raw.begin());
  FUZZ_CHECK(!Opens(world, index, changes, raw), "bytes that nobody sealed do not open");
  Bytes sealed(world->codec.MaxStoredBytes(raw_bytes));
  const iovec piece{raw.data(), raw.size()};
  FUZZ_CHECK(world->codec.Encode({world->identity, index}, {&piece, 1}, sealed) == sealed.size(), "it can be sealed");
  FUZZ_CHECK(Opens(world, index, sealed, raw), "what was sealed opens");
  FUZZ_CHECK(Opens(world, moved, sealed, raw) == (moved == index), "and at its own place only");
  if (cut > 0) {
    FUZZ_CHECK(!Opens(world, index, ByteView(sealed).first(sealed.size() - std::min(cut, sealed.size())), raw),
               "cut bytes do not open");
  }
  Bytes changed = sealed;
  for (size_t i = 0; i < std::min(changed.size(), changes.size()); ++i) changed[i] ^= changes[i];
  FUZZ_CHECK(Opens(world, index, changed, raw) == (changed == sealed), "changed bytes do not open");
  return 0;
}
