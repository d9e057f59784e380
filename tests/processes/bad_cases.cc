#include "tests/processes/bad_cases.h"

#include "tests/support/blocks.h"

namespace incipit::campaign {
namespace {

using wire::FrameType;

// Places in the frame header: docs/wire_format.md.
constexpr size_t kVersionAt = 4, kTypeAt = 5, kMetaBytesAt = 24, kPayloadBytesAt = 32, kChecksumAt = 40;
// Of the key batch in a Match: after namespace, stamp and lease.
constexpr size_t kMatchKeysAt = 4 + 8 + 4;
constexpr size_t kManyKeys = 1'000'000;

Bytes HelloFrame(uint16_t version, const std::string& tenant, uint16_t shard = wire::kAnyShard) {
  wire::Hello hello;
  hello.min_version = hello.max_version = version;
  hello.tenant = tenant;
  hello.shard = shard;
  return FrameOf(FrameType::kHello, hello);
}

wire::Match MatchOf(size_t keys, const Bytes& key, GroupIndex group = 0) {
  wire::Match match;
  for (size_t i = 0; i < keys; ++i) match.keys.push_back({group, 0, 0, key});
  return match;
}

Bytes OpenFrame(const Bytes& layout) {
  wire::OpenNamespace open;
  open.model = "bad";
  open.layout = layout;
  return FrameOf(FrameType::kOpenNamespace, open);
}

// A Store of one block; `claimed` is the payload length that the frame states, `sent` what follows.
Bytes StoreFrame(const std::vector<Segment>& segments, uint64_t claimed, const Bytes& sent, const Bytes& key) {
  wire::Store store;
  wire::StoredBlock block;
  block.key.key = key;
  block.segments = segments;
  store.blocks.push_back(block);
  Bytes frame = FrameOf(FrameType::kStore, store, claimed);
  frame.insert(frame.end(), sent.begin(), sent.end());
  return frame;
}

Bytes MatchWithKeyCount(uint32_t count, const Bytes& key) {
  Bytes meta;
  MatchOf(1, key).Encode(&meta);
  return FrameOf(FrameType::kMatch, Patched(meta, kMatchKeysAt, count));
}

void AddFrameCases(const Bytes& key, std::vector<BadCase>* cases) {
  const Bytes hello = HelloFrame(1, "default");
  const Bytes match = FrameOf(FrameType::kMatch, MatchOf(1, key));
  cases->push_back({"unknown frame version", false, Patched<uint8_t>(hello, kVersionAt, 9)});
  cases->push_back({"unknown protocol version", false, HelloFrame(77, "default")});
  cases->push_back({"wrong magic", false, Patched<uint32_t>(hello, 0, 0x47455420)});
  cases->push_back({"request before Hello", false, match});
  cases->push_back({"tenant of 200 bytes", false, HelloFrame(1, std::string(200, 't'))});
  cases->push_back({"shard that is not there", false, HelloFrame(1, "default", 999)});
  cases->push_back({"Hello cut short", false, Bytes(hello.begin(), hello.end() - 5), BadCase::kErrorOrClosed, true});
  cases->push_back({"frame cut short", true, Bytes(match.begin(), match.end() - 5), BadCase::kErrorOrClosed, true});
  cases->push_back({"header cut short", true, Bytes(match.begin(), match.begin() + 20), BadCase::kErrorOrClosed, true});
  cases->push_back({"unknown frame type", true, Patched<uint8_t>(match, kTypeAt, 200)});
  cases->push_back({"meta over its limit", true, Patched<uint32_t>(match, kMetaBytesAt, wire::kMaxMetaBytes + 1)});
  cases->push_back({"negative meta length", true, Patched<uint32_t>(match, kMetaBytesAt, UINT32_MAX)});
  const Bytes store = StoreFrame({}, 0, {}, key);
  cases->push_back(
      {"payload over its limit", true, Patched<uint64_t>(store, kPayloadBytesAt, wire::kMaxFramePayloadBytes + 1)});
  cases->push_back({"negative payload length", true, Patched<uint64_t>(store, kPayloadBytesAt, UINT64_MAX)});
  cases->push_back({"payload on a Match", true, Patched<uint64_t>(match, kPayloadBytesAt, 4096)});
  cases->push_back({"wrong frame checksum", true, Patched<uint64_t>(match, kChecksumAt, 1)});
}

void AddBatchCases(const Bytes& key, std::vector<BadCase>* cases) {
  const auto match = [](const wire::Match& message) { return FrameOf(FrameType::kMatch, message); };
  cases->push_back({"key of 65 bytes", true, match(MatchOf(1, Bytes(kMaxKeyBytes + 1, 'k')))});
  cases->push_back({"key of no bytes", true, match(MatchOf(1, {}))});
  cases->push_back({"batch of no keys", true, match(MatchOf(0, key))});
  cases->push_back({"a million short keys", true, match(MatchOf(kManyKeys, {'k'}))});
  // 36 MB: refused at the header, while the rest is still being sent.
  cases->push_back({"a million keys", true, match(MatchOf(kManyKeys, key)), BadCase::kErrorOrClosed});
  cases->push_back({"negative number of keys", true, MatchWithKeyCount(UINT32_MAX, key)});
  cases->push_back({"more keys stated than sent", true, MatchWithKeyCount(2, key)});
  cases->push_back({"group that is not in the layout", true, match(MatchOf(1, key, 99))});
  wire::Match foreign = MatchOf(1, key);
  foreign.namespace_id = 7;
  cases->push_back({"namespace that was not opened", true, match(foreign)});
}

void AddLayoutAndPayloadCases(const Bytes& key, std::vector<BadCase>* cases) {
  const Bytes layout = BadLayout().Encode();
  const GroupSpec group = BadLayout().groups[0];
  const Bytes block = testing::PayloadOf(key, group.BlockBytes());
  const std::vector<Segment> right = testing::SegmentsOf(group, block);
  Bytes payload;
  testing::AppendStored(block, right, &payload);
  cases->push_back({"layout of random bytes", true, OpenFrame(Bytes(100, 0x5a))});
  cases->push_back({"layout of an unknown version", true, OpenFrame(Patched<uint16_t>(layout, 4, 99))});
  cases->push_back({"layout cut short", true, OpenFrame(Bytes(layout.begin(), layout.end() - 3))});
  cases->push_back({"empty layout", true, OpenFrame({})});
  std::vector<Segment> fewer(right.begin(), right.end() - 1);
  const Bytes less(payload.begin(), payload.end() - static_cast<int64_t>(group.SegmentBytes()));
  Bytes of_fewer;
  testing::AppendStored(ByteView(block).first(block.size() - group.SegmentBytes()), fewer, &of_fewer);
  cases->push_back({"fewer segments than the layout has", true, StoreFrame(fewer, of_fewer.size(), of_fewer, key),
                    BadCase::kRejected});
  cases->push_back({"payload shorter than its segments", true, StoreFrame(right, less.size(), less, key)});
  std::vector<Segment> negative = right;
  negative[0].stored_bytes = UINT32_MAX;
  cases->push_back({"negative segment length", true, StoreFrame(negative, payload.size(), payload, key)});
  cases->push_back({"payload that ends too early", true, StoreFrame(right, payload.size(), less, key),
                    BadCase::kErrorOrClosed, true});
}

}  // namespace

Layout BadLayout() { return testing::SmallLayout(4, 64); }

std::vector<BadCase> BadCases() {
  const Bytes key = testing::KeyOf(1);
  std::vector<BadCase> cases;
  AddFrameCases(key, &cases);
  AddBatchCases(key, &cases);
  AddLayoutAndPayloadCases(key, &cases);
  return cases;
}

std::vector<Bytes> RightRequests() {
  const Bytes key = testing::KeyOf(1);
  const GroupSpec group = BadLayout().groups[0];
  const Bytes block = testing::PayloadOf(key, group.BlockBytes());
  const std::vector<Segment> segments = testing::SegmentsOf(group, block);
  Bytes payload;
  testing::AppendStored(block, segments, &payload);
  const wire::Match match = MatchOf(20, key);
  wire::Load load;
  wire::Offer offer;
  wire::Touch touch;
  wire::Remove remove;
  load.keys = offer.keys = touch.keys = remove.keys = match.keys;
  return {FrameOf(FrameType::kMatch, match),   FrameOf(FrameType::kLoad, load),
          FrameOf(FrameType::kOffer, offer),   FrameOf(FrameType::kTouch, touch),
          FrameOf(FrameType::kRemove, remove), FrameOf(FrameType::kRelease, wire::Release{}),
          FrameOf(FrameType::kStats, Bytes{}), FrameOf(FrameType::kPing, Bytes{}),
          OpenFrame(BadLayout().Encode()),     StoreFrame(segments, payload.size(), payload, key)};
}

}  // namespace incipit::campaign
