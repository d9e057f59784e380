// Sealed blocks against a real node that is in the hands of somebody else: what is stored there tells nothing, and
// whatever is put in its place is a miss.
#include <algorithm>
#include <functional>

#include "tests/sim/sealed_blocks_fixture.h"

namespace incipit {
namespace {

using testing::KeyOf;

constexpr int64_t kSecondNs = 1'000'000'000;

bool Contains(ByteView where, ByteView what) {
  return std::search(where.begin(), where.end(), std::boyer_moore_horspool_searcher(what.begin(), what.end())) !=
         where.end();
}

TEST_F(SealedBlocks, EveryRangeOfSegmentsInAnyPiecesComesBack) {
  for (const uint32_t bytes_per_entry : {1u, 3u, 64u, 1152u}) {  // segments of 16 bytes to 18 KiB, odd ones too
    if (node_.shard_count() == 0) StartNode(16 << 20);
    const Layout layout = testing::SmallLayout(5, bytes_per_entry, bytes_per_entry == 3 ? 15 : 16);
    ClientCore* writer = Connect(SealingKeyOf(1), layout);
    ClientCore* reader = Connect(SealingKeyOf(1), layout);
    const uint64_t segment = layout.groups[0].SegmentBytes();
    for (uint64_t block = 0; block < 6; ++block) {
      const Bytes key = KeyOf(block), payload = testing::PayloadOf(key, layout.groups[0].BlockBytes());
      ASSERT_EQ(Store(writer, key, payload, block % 2 * 7), BlockStatus::kOk);
      for (uint16_t first = 0; first < 5; ++first) {
        for (uint16_t count = 1; first + count <= 5; ++count) {
          Bytes part(count * segment);
          ASSERT_EQ(Load(reader, key, &part, first, count, block % 3 * 9), BlockStatus::kOk);
          ASSERT_TRUE(std::equal(part.begin(), part.end(), payload.begin() + static_cast<int64_t>(first * segment)));
        }
      }
    }
    EXPECT_EQ(reader->counters().forged_segments, 0u);
  }
}

TEST_F(SealedBlocks, LargestBlocksAndBlocksInPartsComeBack) {
  StartNode(400 << 20);
  for (const auto& [segments, segment_bytes] : {std::pair{1u, 64u << 20}, {16u, 4u << 20}, {25u, 4u << 20}}) {
    Layout layout{.name = "large"};
    layout.groups.push_back({.name = "state",
                             .rule = HitRule::kCheckpoint,
                             .block_tokens = 16,
                             .layers = segments,
                             .bytes_per_entry = segment_bytes});
    ASSERT_TRUE(layout.Validate().ok());
    ClientCore* client = Connect(SealingKeyOf(1), layout);
    const Bytes key = KeyOf(segments), payload = testing::PayloadOf(key, layout.groups[0].BlockBytes());
    ASSERT_EQ(Store(client, key, payload), BlockStatus::kOk);
    EXPECT_TRUE(Hit(client, layout, key) == payload);
    if (segments > 1) {
      Bytes last(segment_bytes);
      ASSERT_EQ(Load(client, key, &last, static_cast<uint16_t>(segments - 1), 1), BlockStatus::kOk);
      EXPECT_TRUE(std::equal(last.begin(), last.end(), payload.end() - segment_bytes));
    }
  }
}

TEST_F(SealedBlocks, NeitherWireNorNodeNorDiskHoldsThePromptOrTheKey) {
  const auto contents = std::make_shared<MemDiskContents>(9 << 20);
  disk_ = std::make_unique<MemDisk>(&loop_, contents, MemDiskOptions());
  tapped_ = true;
  StartNode(4 << 20, disk_.get());
  const Layout layout = testing::SmallLayout(4, 1024);
  const GroupSpec& group = layout.groups[0];
  const auto key = SealingKeyOf(1);
  ClientCore* client = Connect(key, layout);
  ClientCore* open = Connect(nullptr, layout);
  const std::string pattern = "the quick brown fox reads the whole repository";
  Bytes payload;
  while (payload.size() < group.BlockBytes()) payload.insert(payload.end(), pattern.begin(), pattern.end());
  payload.resize(group.BlockBytes());
  const ByteView needle = ByteView(payload).first(16);
  for (uint64_t block = 0; block < 40; ++block) {
    ASSERT_EQ(Store(client, KeyOf(block), payload), BlockStatus::kOk);
    loop_.RunUntil(loop_.NowNs() + kSecondNs);
  }
  for (uint64_t block = 0; block < 40; ++block) ASSERT_EQ(Hit(client, layout, KeyOf(block)), payload);
  Intruder intruder(&loop_, &network_, node_.address(), "default", SealedLayout(layout, *key));
  const auto on_disk = [&] {
    Bytes all(contents->capacity_bytes());
    contents->Read(0, all);
    return all;
  };
  for (const ByteView secret : {needle, ByteView(key->bytes()).first(8)}) {
    EXPECT_FALSE(Contains(heard_, secret));
    EXPECT_FALSE(Contains(on_disk(), secret));
    for (uint64_t block = 0; block < 40; ++block) EXPECT_FALSE(Contains(intruder.Read(KeyOf(block)).bytes, secret));
  }
  EXPECT_GT(heard_.size(), 80 * group.BlockBytes());
  // The search finds what is not sealed.
  for (uint64_t block = 0; block < 40; ++block) {
    ASSERT_EQ(Store(open, KeyOf(block), payload), BlockStatus::kOk);
    loop_.RunUntil(loop_.NowNs() + kSecondNs);
  }
  EXPECT_TRUE(Contains(heard_, needle));
  EXPECT_TRUE(Contains(on_disk(), needle));
}

TEST_F(SealedBlocks, WhatIsPutInAnotherPlaceIsAMissAndLeavesNothing) {
  StartNode();
  const Layout layout = testing::SmallLayout();
  const GroupSpec& group = layout.groups[0];
  const uint64_t stored = group.SegmentBytes() + kSealedOverheadBytes;
  const auto key = SealingKeyOf(1);
  ClientCore* client = Connect(key, layout);
  const Bytes a = KeyOf(1), b = KeyOf(2);
  const Bytes payload_a = testing::PayloadOf(a, group.BlockBytes());
  ASSERT_EQ(Store(client, a, payload_a), BlockStatus::kOk);
  ASSERT_EQ(Store(client, b, testing::PayloadOf(b, group.BlockBytes())), BlockStatus::kOk);
  Intruder intruder(&loop_, &network_, node_.address(), "default", SealedLayout(layout, *key));
  const Intruder::Stolen honest = intruder.Read(a);
  EXPECT_EQ(honest.codec, Codec::kSealed);
  uint64_t forged = 0;
  const auto expect_miss = [&](const Bytes& at, const Intruder::Stolen& with, uint64_t bad_segments) {
    ASSERT_EQ(intruder.Replace(at, with), BlockStatus::kOk);
    Bytes into(group.BlockBytes(), 0xcc);
    EXPECT_EQ(Load(client, at, &into), BlockStatus::kDamaged);
    forged += bad_segments;
    EXPECT_EQ(client->counters().forged_segments, forged);
    EXPECT_EQ(client->counters().damaged_segments, 0u) << "its checksums are right";
    if (bad_segments == 4) {
      EXPECT_EQ(into, Bytes(into.size(), 0));
    }
  };
  expect_miss(b, honest, 4);  // another block's bytes
  Intruder::Stolen swapped = honest;
  std::swap_ranges(swapped.bytes.begin(), swapped.bytes.begin() + static_cast<int64_t>(stored),
                   swapped.bytes.begin() + static_cast<int64_t>(2 * stored));
  expect_miss(a, swapped, 2);  // two of its segments swapped
  for (const size_t at : {size_t{0}, size_t{13}, size_t{24}, stored - 1, stored + 30, 4 * stored - 1}) {
    Intruder::Stolen flipped = honest;
    flipped.bytes[at] ^= 1;
    expect_miss(a, flipped, 1);
  }
  Intruder::Stolen zeros = honest;
  std::fill(zeros.bytes.begin(), zeros.bytes.end(), uint8_t{0});
  expect_miss(a, zeros, 4);
  // Back in its place it is what it was.
  ASSERT_EQ(intruder.Replace(a, honest), BlockStatus::kOk);
  EXPECT_EQ(Hit(client, layout, a), payload_a);
}

TEST_F(SealedBlocks, NothingUnsealedOrOfAnotherSizePassesForSealed) {
  StartNode();
  const Layout layout = testing::SmallLayout();
  const GroupSpec& group = layout.groups[0];
  const auto key = SealingKeyOf(1);
  ClientCore* client = Connect(key, layout);
  ClientCore* without = Connect(nullptr, layout);
  const Bytes a = KeyOf(1), forged = testing::PayloadOf(KeyOf(99), group.BlockBytes());
  ASSERT_EQ(Store(client, a, testing::PayloadOf(a, group.BlockBytes())), BlockStatus::kOk);
  Intruder intruder(&loop_, &network_, node_.address(), "default", SealedLayout(layout, *key));
  const Intruder::Stolen honest = intruder.Read(a);
  const Intruder::Stolen unsealed{Codec::kRaw, testing::SegmentsOf(group, forged), forged};
  ASSERT_EQ(intruder.Replace(a, unsealed), BlockStatus::kOk);
  Bytes into(group.BlockBytes(), 0xcc);
  EXPECT_EQ(Load(client, a, &into), BlockStatus::kRejected);
  EXPECT_EQ(into, Bytes(group.BlockBytes(), 0xcc)) << "not a byte of it is taken";
  EXPECT_EQ(client->counters().refused_blocks, 1u);
  // The node itself refuses what does not fit the codec: cut, lengthened, or sealed under the name of raw.
  Intruder::Stolen cut = honest, longer = honest, renamed = honest;
  --cut.segments[0].stored_bytes;
  cut.bytes.erase(cut.bytes.begin());
  ++longer.segments[0].stored_bytes;
  longer.bytes.push_back(0);
  renamed.codec = Codec::kRaw;
  for (const Intruder::Stolen& wrong : {cut, longer, renamed}) {
    EXPECT_EQ(intruder.Replace(a, wrong), BlockStatus::kRejected);
  }
  // And a client without a key takes no cipher text for a block.
  Intruder outside(&loop_, &network_, node_.address(), "default", layout);
  ASSERT_EQ(outside.Replace(a, honest), BlockStatus::kOk);
  EXPECT_EQ(Load(without, a, &into), BlockStatus::kRejected);
  EXPECT_EQ(without->counters().refused_blocks, 1u);
  EXPECT_EQ(into, Bytes(group.BlockBytes(), 0xcc));
}

TEST_F(SealedBlocks, AnotherTenantsOrModelsBytesAreAMiss) {
  StartNode();
  const Layout layout = testing::SmallLayout(), other_layout = testing::SmallLayout(4, 64, 8);
  const auto key = SealingKeyOf(1);  // the same in all of them
  const Bytes a = KeyOf(1), payload = testing::PayloadOf(a, layout.groups[0].BlockBytes());
  ClientCore* ours = Connect(key, layout, "ours");
  ClientCore* theirs = Connect(key, layout, "theirs");
  ASSERT_EQ(Store(ours, a, payload), BlockStatus::kOk);
  ASSERT_EQ(Store(theirs, a, payload), BlockStatus::kOk);
  Intruder at_ours(&loop_, &network_, node_.address(), "ours", SealedLayout(layout, *key));
  Intruder at_theirs(&loop_, &network_, node_.address(), "theirs", SealedLayout(layout, *key));
  ASSERT_EQ(at_theirs.Replace(a, at_ours.Read(a)), BlockStatus::kOk);
  EXPECT_TRUE(Hit(theirs, layout, a).empty());
  EXPECT_EQ(theirs->counters().forged_segments, 4u);
  EXPECT_EQ(Hit(ours, layout, a), payload);
}

TEST_F(SealedBlocks, ClientsOfOtherKeysDoNotSeeNorHinderEachOther) {
  StartNode();
  const Layout layout = testing::SmallLayout();
  const Bytes a = KeyOf(1), payload = testing::PayloadOf(a, layout.groups[0].BlockBytes());
  ClientCore* clients[] = {Connect(SealingKeyOf(1), layout), Connect(SealingKeyOf(2), layout),
                           Connect(nullptr, layout)};
  for (ClientCore* client : clients) {
    Bytes into(layout.groups[0].BlockBytes());
    EXPECT_EQ(Load(client, a, &into), BlockStatus::kMiss);
    EXPECT_EQ(Store(client, a, payload), BlockStatus::kOk) << "a new key is not kept from storing by the old one";
  }
  for (ClientCore* client : clients) {
    EXPECT_EQ(Hit(client, layout, a), payload);
    EXPECT_EQ(client->counters().forged_segments + client->counters().refused_blocks, 0u);
  }
  // Two sealings of the same bytes differ, and are no conflict.
  EXPECT_EQ(Store(clients[0], a, payload, 0, /*offer_first=*/false), BlockStatus::kPresent);
  EXPECT_EQ(Store(clients[2], a, payload, 0, /*offer_first=*/false), BlockStatus::kPresent);
  EXPECT_EQ(node_.shard(0)->store()->counters().conflicts, 0u);
}

}  // namespace
}  // namespace incipit
