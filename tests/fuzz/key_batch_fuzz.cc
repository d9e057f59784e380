// Input: a key batch as it stands in Match and its like.
#include <algorithm>
#include <vector>

#include "tests/fuzz/check.h"
#include "transport/wire/key_batch.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const incipit::ByteView input(data, size);
  incipit::wire::MetaReader reader("KeyBatch", input);
  incipit::wire::KeyBatch keys;
  incipit::wire::DecodeKeyBatch(&reader, &keys);
  // Whatever a count says, memory stays in proportion to the input.
  FUZZ_CHECK(keys.capacity() <= size, "room for fewer keys than the input has bytes");
  if (!reader.Finish().ok()) return 0;
  FUZZ_CHECK(!keys.empty() && keys.size() <= incipit::wire::kMaxBatchKeys, "1 to kMaxBatchKeys keys");
  for (const auto& key : keys) {
    FUZZ_CHECK(!key.key.empty() && key.key.size() <= incipit::kMaxKeyBytes, "1 to kMaxKeyBytes bytes of key");
    FUZZ_CHECK(key.key.data() >= data && key.key.size() <= static_cast<size_t>(data + size - key.key.data()),
               "keys are views into the input");
  }
  std::vector<uint8_t> again;
  incipit::wire::EncodeKeyBatch(keys, &again);
  FUZZ_CHECK(std::ranges::equal(again, input), "a batch has one encoding");
  return 0;
}
