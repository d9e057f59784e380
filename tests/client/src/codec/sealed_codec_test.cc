#include "client/src/codec/sealed_codec.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <set>

#include "cache/seams/random.h"
#include "tests/support/format_samples.h"
#include "tests/support/golden_file.h"

namespace incipit {
namespace {

using Bytes = std::vector<uint8_t>;

std::shared_ptr<const SealingKey> KeyOfSeed(uint8_t seed) {
  return *SealingKey::FromBytes(samples::CountingBytes(32, seed));
}
Bytes NamespaceOf(const std::string& tenant) {
  return FrameNamespace({tenant, "m", samples::SampleLayout().Fingerprint()});
}
Bytes IdentityOf(const std::string& tenant, GroupIndex group, uint16_t part, uint8_t key) {
  std::array<uint8_t, kMaxFramedIdentityBytes> framed;
  const ByteView view = FrameIdentity(NamespaceOf(tenant), group, part, Bytes{key, 1, 2, 3}, &framed);
  return {view.begin(), view.end()};
}

Bytes Encoded(SealedCodec* codec, const SegmentPlace& place, Bytes raw) {
  Bytes stored(codec->MaxStoredBytes(raw.size()));
  const iovec piece{raw.data(), raw.size()};
  EXPECT_EQ(codec->Encode(place, {&piece, 1}, stored), stored.size());
  return stored;
}

// What it decodes to; empty if it does not, and then the memory was left zero.
Bytes Decoded(SealedCodec* codec, const SegmentPlace& place, ByteView stored, size_t raw_bytes) {
  Bytes raw(raw_bytes, 0xaa);
  const iovec pieces[] = {{raw.data(), raw_bytes / 3}, {raw.data() + raw_bytes / 3, raw_bytes - raw_bytes / 3}};
  if (codec->Decode(place, stored, pieces)) return raw;
  EXPECT_EQ(raw, Bytes(raw_bytes, 0));
  return {};
}

TEST(SealedCodec, SegmentsComeBackAsTheyWere) {
  SealedCodec writer(*KeyOfSeed(1), NamespaceOf("t")), reader(*KeyOfSeed(1), NamespaceOf("t"));
  const auto random = MakeSeededRandom(3);
  const Bytes identity = IdentityOf("t", 0, 0, 7);
  for (uint16_t i = 0; i < 300; ++i) {
    Bytes raw(1 + random->Below(9000));
    random->Fill(raw);
    const Bytes stored = Encoded(&writer, {identity, i}, raw);
    EXPECT_EQ(stored.size(), raw.size() + 40);
    ASSERT_EQ(Decoded(&reader, {identity, i}, stored, raw.size()), raw);
  }
}

TEST(SealedCodec, NothingOpensElsewhereThanWhereItWasSealed) {
  SealedCodec codec(*KeyOfSeed(1), NamespaceOf("t"));
  const Bytes identity = IdentityOf("t", 1, 2, 7), raw(100, 5);
  const Bytes stored = Encoded(&codec, {identity, 3}, raw);
  EXPECT_EQ(Decoded(&codec, {identity, 3}, stored, 100), raw);
  EXPECT_TRUE(Decoded(&codec, {identity, 4}, stored, 100).empty()) << "another segment";
  EXPECT_TRUE(Decoded(&codec, {IdentityOf("t", 1, 2, 8), 3}, stored, 100).empty()) << "another key";
  EXPECT_TRUE(Decoded(&codec, {IdentityOf("t", 1, 1, 7), 3}, stored, 100).empty()) << "another part";
  EXPECT_TRUE(Decoded(&codec, {IdentityOf("t", 0, 2, 7), 3}, stored, 100).empty()) << "another group";
  EXPECT_TRUE(Decoded(&codec, {IdentityOf("u", 1, 2, 7), 3}, stored, 100).empty()) << "another tenant";
  SealedCodec other_key(*KeyOfSeed(2), NamespaceOf("t")), other_namespace(*KeyOfSeed(1), NamespaceOf("u"));
  EXPECT_TRUE(Decoded(&other_key, {identity, 3}, stored, 100).empty());
  EXPECT_TRUE(Decoded(&other_namespace, {identity, 3}, stored, 100).empty());
}

TEST(SealedCodec, ChangedCutAndLengthenedBytesDoNotOpen) {
  SealedCodec codec(*KeyOfSeed(1), NamespaceOf("t"));
  const Bytes identity = IdentityOf("t", 0, 0, 7), raw(50, 5);
  const Bytes stored = Encoded(&codec, {identity, 0}, raw);
  for (size_t bit = 0; bit < 8 * stored.size(); ++bit) {
    Bytes changed = stored;
    changed[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
    EXPECT_TRUE(Decoded(&codec, {identity, 0}, changed, 50).empty()) << "bit " << bit;
  }
  for (size_t bytes = 0; bytes < stored.size(); ++bytes) {
    EXPECT_TRUE(Decoded(&codec, {identity, 0}, ByteView(stored).first(bytes), 50).empty());
    if (bytes <= 40) continue;
    EXPECT_TRUE(Decoded(&codec, {identity, 0}, ByteView(stored).first(bytes), bytes - 40).empty());
  }
  Bytes longer = stored;
  longer.push_back(0);
  EXPECT_TRUE(Decoded(&codec, {identity, 0}, longer, 50).empty());
  EXPECT_TRUE(Decoded(&codec, {identity, 0}, longer, 51).empty());
}

TEST(SealedCodec, EverySegmentHasANonceOfItsOwn) {
  SealedCodec codec(*KeyOfSeed(1), NamespaceOf("t"));
  const Bytes identity = IdentityOf("t", 0, 0, 7), raw(1, 5);
  std::set<Bytes> nonces, suffixes, prefixes;
  constexpr size_t kSegments = 3 * SealedCodec::kSegmentsPerPrefix;
  for (size_t i = 0; i < kSegments; ++i) {
    const Bytes stored = Encoded(&codec, {identity, 0}, raw);
    nonces.insert(Bytes(stored.begin(), stored.begin() + 24));
    prefixes.insert(Bytes(stored.begin(), stored.begin() + 12));
    suffixes.insert(Bytes(stored.begin() + 12, stored.begin() + 24));
  }
  EXPECT_EQ(nonces.size(), kSegments);
  EXPECT_EQ(suffixes.size(), kSegments);
  EXPECT_EQ(prefixes.size(), 3u);
}

TEST(SealedCodec, AForkedProcessUsesNoNonceOfItsParent) {
  SealedCodec codec(*KeyOfSeed(1), NamespaceOf("t"));
  const Bytes identity = IdentityOf("t", 0, 0, 7), raw(1, 5);
  Encoded(&codec, {identity, 0}, raw);
  int pipe_ends[2];
  ASSERT_EQ(pipe(pipe_ends), 0);
  const pid_t child = fork();
  const Bytes stored = Encoded(&codec, {identity, 0}, raw);
  if (child == 0)
    _exit(write(pipe_ends[1], stored.data(), stored.size()) == static_cast<ssize_t>(stored.size()) ? 0 : 1);
  Bytes of_child(stored.size());
  EXPECT_EQ(read(pipe_ends[0], of_child.data(), of_child.size()), static_cast<ssize_t>(of_child.size()));
  int status = -1;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_FALSE(std::equal(stored.begin(), stored.begin() + 12, of_child.begin())) << "prefix";
  EXPECT_FALSE(std::equal(stored.begin() + 12, stored.begin() + 24, of_child.begin() + 12)) << "suffix";
  close(pipe_ends[0]);
  close(pipe_ends[1]);
}

TEST(SealedCodec, WithoutRandomBytesNothingIsSealed) {
  SealedCodec codec(*KeyOfSeed(1), NamespaceOf("t"), [](MutableBytes) { return false; });
  Bytes raw(64, 'p'), stored(104, 0xee);
  const iovec piece{raw.data(), raw.size()};
  const Bytes identity = IdentityOf("t", 0, 0, 7);
  EXPECT_EQ(codec.Encode({identity, 0}, {&piece, 1}, stored), 0u);
  EXPECT_EQ(stored, Bytes(104, 0));
}

TEST(SealedCodec, LayoutsOfOtherKeysAreOthers) {
  const Layout layout = samples::SampleLayout();
  const Layout sealed = SealedLayout(layout, *KeyOfSeed(1));
  EXPECT_TRUE(sealed.Validate().ok());
  EXPECT_EQ(sealed.name, layout.name + "+sealed-" + KeyOfSeed(1)->Id());
  EXPECT_EQ(sealed.groups, layout.groups);
  EXPECT_NE(sealed.Fingerprint(), layout.Fingerprint());
  EXPECT_NE(sealed.Fingerprint(), SealedLayout(layout, *KeyOfSeed(2)).Fingerprint());
}

// Whoever keeps what was coded and sealed must not pass it for another form of itself.
TEST(SealedCodec, WhatIsCodedOpensUnderItsCodecAndRawLengthOnly) {
  SealedCodec codec(*KeyOfSeed(1), NamespaceOf("t"));
  const Bytes identity = IdentityOf("t", 1, 2, 7), coded(100, 5);
  const SegmentPlace place{identity, 3};
  const iovec plain{const_cast<uint8_t*>(coded.data()), coded.size()};
  const auto opens = [&](Codec as, const SegmentPlace& at, uint64_t raw_bytes, ByteView stored) {
    Bytes opened(coded.size(), 0xaa);
    const iovec into{opened.data(), opened.size()};
    const bool is_open = codec.Open(as, at, raw_bytes, stored, {&into, 1});
    EXPECT_EQ(opened, is_open ? coded : Bytes(coded.size(), 0));
    return is_open;
  };
  for (const Codec sealed :
       {Codec::kSealed, Codec::kSealedBf16Lossless, Codec::kSealedFp8Lossless, Codec::kSealedFp8}) {
    const uint64_t raw_bytes = sealed == Codec::kSealed ? 100 : 144;
    Bytes stored(coded.size() + kSealedOverheadBytes + 10, 0xee);
    ASSERT_EQ(codec.Seal(sealed, place, raw_bytes, {&plain, 1}, stored), coded.size() + kSealedOverheadBytes);
    EXPECT_EQ(stored.back(), 0xee) << "no more than that is written";
    stored.resize(coded.size() + kSealedOverheadBytes);
    for (const Codec as : {Codec::kSealed, Codec::kSealedBf16Lossless, Codec::kSealedFp8Lossless, Codec::kSealedFp8}) {
      EXPECT_EQ(opens(as, place, raw_bytes, stored), as == sealed);
    }
    EXPECT_FALSE(opens(sealed, place, raw_bytes + 2, stored)) << "another raw length";
    EXPECT_FALSE(opens(sealed, {identity, 4}, raw_bytes, stored)) << "another segment";
    EXPECT_FALSE(opens(sealed, {IdentityOf("t", 1, 2, 8), 3}, raw_bytes, stored)) << "another key";
    EXPECT_FALSE(opens(sealed, place, raw_bytes, ByteView(stored).first(139))) << "cut";
  }
}

TEST(SealedCodec, GoldenCodedSegment) {
  SealedCodec codec(*KeyOfSeed(0x40), FrameNamespace(samples::SampleNamespace()), [](MutableBytes out) {
    for (size_t i = 0; i < out.size(); ++i) out[i] = static_cast<uint8_t>(0xf0 - i % XaesGcm::kPrefixBytes);
    return true;
  });
  const Bytes identity = samples::SampleIdentity();
  Bytes coded = golden::BytesOfDump("formats/coded_segment.hex"), opened(coded.size());
  Bytes stored(coded.size() + kSealedOverheadBytes);
  const iovec plain{coded.data(), coded.size()}, into{opened.data(), opened.size()};
  ASSERT_EQ(codec.Seal(Codec::kSealedBf16Lossless, {identity, 5}, 256, {&plain, 1}, stored), stored.size());
  golden::ExpectFile("formats/sealed_coded_segment.hex", golden::HexDump(stored));
  EXPECT_TRUE(codec.Open(Codec::kSealedBf16Lossless, {identity, 5}, 256,
                         golden::BytesOfDump("formats/sealed_coded_segment.hex"), {&into, 1}));
  EXPECT_EQ(opened, coded);
}

// The format, fixed: this build writes these bytes and reads them back.
TEST(SealedCodec, GoldenSegment) {
  SealedCodec codec(*KeyOfSeed(0x40), FrameNamespace(samples::SampleNamespace()), [](MutableBytes out) {
    for (size_t i = 0; i < out.size(); ++i) out[i] = static_cast<uint8_t>(0xf0 - i % XaesGcm::kPrefixBytes);
    return true;
  });
  const Bytes identity = samples::SampleIdentity(), raw = samples::CountingBytes(100, 1);
  const Bytes stored = Encoded(&codec, {identity, 5}, raw);
  golden::ExpectFile("formats/sealed_segment.hex", golden::HexDump(stored));
  EXPECT_EQ(Decoded(&codec, {identity, 5}, golden::BytesOfDump("formats/sealed_segment.hex"), raw.size()), raw);
}

}  // namespace
}  // namespace incipit
