// The front of a shared Load or Store, and the message behind it, from any bytes.
#include <algorithm>
#include <vector>

#include "tests/fuzz/check.h"
#include "transport/wire/messages.h"
#include "transport/wire/shared_messages.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace incipit;
  const ByteView meta(data, size);
  ByteView rest;
  const auto places = wire::SharedPlaces::Decode(meta, &rest);
  if (!places.ok()) {
    FUZZ_CHECK(rest.empty(), "nothing is left of what makes no sense");
    return 0;
  }
  FUZZ_CHECK(places->pieces.size() <= wire::kMaxRegionRefs, "pieces within their limit");
  std::vector<uint8_t> again;
  places->Encode(&again);
  again.insert(again.end(), rest.begin(), rest.end());
  FUZZ_CHECK(std::ranges::equal(again, meta), "places have one encoding");
  const auto load = wire::Load::Decode(rest);
  const auto store = wire::Store::Decode(rest);
  FUZZ_CHECK(!load.ok() || !load->keys.empty(), "a load has keys");
  FUZZ_CHECK(!store.ok() || store->PayloadBytes() <= wire::kMaxFramePayloadBytes, "payload sum within its limit");
  return 0;
}
