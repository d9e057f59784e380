// Input: a frame header, then its meta. Decoded as it is, then with both checksums repaired, so that what lies behind
// them is reached.
#include <algorithm>
#include <vector>

#include "cache/base/xxh3.h"
#include "tests/fuzz/check.h"
#include "transport/wire/frame.h"

namespace {

using incipit::ByteView;
using incipit::wire::FrameHeader;

constexpr size_t kHeaderChecksumAt = 28;
constexpr size_t kChecksumAt = 40;

std::vector<uint8_t> WithRepairedChecksums(ByteView frame) {
  std::vector<uint8_t> repaired(frame.begin(), frame.end());
  std::fill_n(repaired.begin() + kHeaderChecksumAt, sizeof(uint32_t), uint8_t{0});
  const uint64_t of_header = incipit::Xxh3Of(ByteView(repaired).first(kChecksumAt));
  std::memcpy(repaired.data() + kHeaderChecksumAt, &of_header, sizeof(uint32_t));
  std::fill_n(repaired.begin() + kChecksumAt, sizeof(uint64_t), uint8_t{0});
  const uint64_t checksum = incipit::Xxh3Of(repaired);
  std::memcpy(repaired.data() + kChecksumAt, &checksum, sizeof(checksum));
  return repaired;
}

void CheckFrame(ByteView header, ByteView meta) {
  const auto decoded = FrameHeader::Decode(header);
  const bool verified = incipit::wire::VerifyFrame(header, meta).ok();
  if (!decoded.ok()) {
    FUZZ_CHECK(!decoded.status().message().empty(), "a refusal says why");
    return;
  }
  FUZZ_CHECK(decoded->meta_bytes <= incipit::wire::kMaxMetaBytes, "meta within its limit");
  FUZZ_CHECK(decoded->payload_bytes <= incipit::wire::kMaxFramePayloadBytes, "payload within its limit");
  if (!verified || decoded->meta_bytes != meta.size()) return;
  FUZZ_CHECK(std::ranges::equal(decoded->Encode(meta), header), "a header that is accepted encodes to the same bytes");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const ByteView input(data, size);
  const size_t header_bytes = std::min(size, incipit::wire::kFrameHeaderBytes);
  CheckFrame(input.first(header_bytes), input.subspan(header_bytes));
  if (size < incipit::wire::kFrameHeaderBytes) return 0;
  const std::vector<uint8_t> repaired = WithRepairedChecksums(input);
  const auto header = ByteView(repaired).first(header_bytes);
  const auto meta = ByteView(repaired).subspan(header_bytes);
  FUZZ_CHECK(incipit::wire::VerifyFrame(header, meta).ok(), "a repaired checksum verifies");
  CheckFrame(header, meta);
  return 0;
}
