// The header of messages on the ucx lane, its checksum repaired.
#include <cstring>

#include "cache/base/xxh3.h"
#include "tests/fuzz/check.h"
#include "transport/ucx/ucx_message.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using incipit::UcxMessage;
  std::vector<uint8_t> header(data, data + size);
  if (size == UcxMessage::kHeaderBytes) {
    const uint64_t checksum = incipit::Xxh3Of({header.data(), size - sizeof(uint64_t)});
    std::memcpy(header.data() + size - sizeof(checksum), &checksum, sizeof(checksum));
  }
  const auto message = UcxMessage::Decode(header);
  if (!message.ok()) return 0;
  const auto again = message->Encode();
  FUZZ_CHECK(std::equal(again.begin(), again.end(), header.begin(), header.end()),
             "an accepted header encodes to the same bytes");
  return 0;
}
