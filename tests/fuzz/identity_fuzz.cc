// Input: a framed identity. What ParseIdentity accepts must frame to the same bytes.
#include <algorithm>

#include "cache/format/identity.h"
#include "tests/fuzz/check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const incipit::ByteView input(data, size);
  const auto view = incipit::ViewIdentity(input);
  const auto identity = incipit::ParseIdentity(input);
  FUZZ_CHECK(view.ok() == identity.ok(), "both forms accept the same bytes");
  if (!identity.ok()) {
    FUZZ_CHECK(!identity.status().message().empty(), "a refusal says why");
    return 0;
  }
  std::array<uint8_t, incipit::kMaxFramedIdentityBytes> buffer;
  const incipit::ByteView framed = incipit::FrameIdentity(
      incipit::FrameNamespace(identity->name_space), identity->group, identity->part, identity->key.bytes(), &buffer);
  FUZZ_CHECK(std::ranges::equal(framed, input), "an accepted identity frames to the same bytes");
  FUZZ_CHECK(std::ranges::equal(view->key, identity->key.bytes()), "both forms give the same key");
  return 0;
}
