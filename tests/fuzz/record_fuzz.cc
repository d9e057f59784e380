// Input: a record header, perhaps with payload behind it. Decoded as it is, then with the checksum repaired, so that
// what lies behind the checksum is reached.
#include <algorithm>

#include "cache/format/record.h"
#include "tests/fuzz/check.h"
#include "tests/support/format_samples.h"

namespace {

using incipit::ByteView;

void CheckRecord(ByteView input) {
  const auto peeked = incipit::PeekRecordHeaderBytes(input);
  const auto header = incipit::DecodeRecordHeader(input);
  if (!header.ok()) {
    FUZZ_CHECK(!header.status().message().empty(), "a refusal says why");
    return;
  }
  FUZZ_CHECK(peeked.ok() && *peeked == header->HeaderBytes(), "peeking agrees with decoding");
  FUZZ_CHECK(header->StoredBytes() <= incipit::kMaxStoredBytes, "the payload is within its limit");
  std::vector<uint8_t> encoded;
  header->Encode(&encoded);
  FUZZ_CHECK(std::ranges::equal(encoded, input.first(*peeked)), "an accepted header encodes to the same bytes");
  incipit::RestampRecordHeader(encoded, 1, 2, 3);
  const auto restamped = incipit::DecodeRecordHeader(encoded);
  FUZZ_CHECK(restamped.ok() && restamped->sequence == 1 && restamped->identity == header->identity,
             "a restamped header is intact");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  CheckRecord({data, size});
  std::vector<uint8_t> repaired(data, data + size);
  incipit::samples::RepairRecordHeader(&repaired);
  CheckRecord(repaired);
  return 0;
}
