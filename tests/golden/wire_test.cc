// The wire format and placement against files written when version 1 was made.
#include <gtest/gtest.h>

#include <set>

#include "absl/strings/str_cat.h"
#include "cache/format/identity.h"
#include "tests/support/golden_file.h"
#include "tests/support/wire_samples.h"
#include "tests/transport/wire/message_fields.h"
#include "transport/wire/placement.h"

namespace incipit::wire {
namespace {

TEST(WireGolden, EveryMessageIsWrittenAsItsFileSays) {
  for (const auto& frame : samples::AllFrames()) {
    golden::ExpectFile("wire/" + frame.name + ".hex", golden::HexDump(frame.bytes));
  }
}

TEST(WireGolden, SamplesCoverEveryFrameType) {
  std::set<FrameType> types;
  for (const auto& frame : samples::AllFrames()) types.insert(frame.type);
  for (int type = 0; type < 256; ++type) {
    EXPECT_EQ(types.contains(static_cast<FrameType>(type)), IsKnownFrameType(static_cast<uint8_t>(type))) << type;
  }
}

TEST(WireGolden, SharedPlacesAreWrittenAsTheirFileSaysAndReadBack) {
  const std::vector<uint8_t> bytes = Encoded(samples::SampleSharedPlaces());
  golden::ExpectFile("wire/shared_places.hex", golden::HexDump(bytes));
  ByteView rest;
  const auto places = SharedPlaces::Decode(bytes, &rest);
  ASSERT_TRUE(places.ok()) << places.status();
  EXPECT_EQ(places->pieces, samples::SampleSharedPlaces().pieces);
  EXPECT_TRUE(rest.empty());
}

TEST(WireGolden, WorkedExampleIsTheOneOfThePage) {
  const auto frame = samples::Frame(FrameType::kMatch, Encoded(samples::ExampleMatch()));
  golden::ExpectFile("wire/example_match.hex", golden::HexDump(frame));
  std::ifstream page(std::string(INCIPIT_SOURCE_DIR) + "/docs/wire_format.md");
  std::ostringstream text;
  text << page.rdbuf();
  EXPECT_NE(text.str().find(golden::HexDump(frame)), std::string::npos) << golden::HexDump(frame);
}

template <typename Message>
void ExpectReads(const Message& sample) {
  const std::vector<uint8_t> meta = Encoded(sample);  // decoded keys are views of it
  const auto decoded = Message::Decode(meta);
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_TRUE(Same(*decoded, sample));
}

TEST(WireGolden, EveryMessageIsReadBack) {
  ExpectReads(samples::SampleHello());
  ExpectReads(samples::SampleHelloReply());
  ExpectReads(samples::SampleOpenNamespace());
  ExpectReads(samples::SampleOpenNamespaceReply());
  ExpectReads(samples::SampleMatch());
  ExpectReads(samples::SampleMatchReply());
  ExpectReads(samples::SampleLoad());
  ExpectReads(samples::SampleLoadReply());
  ExpectReads(samples::SampleOffer());
  ExpectReads(samples::SampleStore());
  ExpectReads(samples::SampleTouch());
  ExpectReads(samples::SampleRemove());
  ExpectReads(samples::SampleStatusReply());
  ExpectReads(samples::SampleRelease());
  ExpectReads(samples::SampleStatsReply());
  ExpectReads(samples::SampleError());
  ExpectReads(samples::SampleClaim());
  ExpectReads(samples::SampleRenewal());
  ExpectReads(samples::SampleClaimReply());
  ExpectReads(samples::SampleWait());
  ExpectReads(samples::SampleWaitReply());
  ExpectReads(samples::SampleGetMap());
  ExpectReads(samples::SampleMapReply());
  ExpectReads(samples::SampleDrain());
  ExpectReads(samples::SampleDrainReply());
  ExpectReads(samples::SamplePeer());
  ExpectReads(samples::SamplePeerReply());
}

// Lines of: seed, node id, shard count, framed identity, shard.
TEST(WireGolden, KeysArePlacedAsTheFileSays) {
  std::string text = "# placement_seed node_id shard_count framed_identity shard\n";
  std::array<uint8_t, 16> seed{};
  for (const uint64_t node_id : {uint64_t{0}, uint64_t{1}, uint64_t{0xa1a2a3a4a5a6a7a8}}) {
    for (const uint16_t shard_count : {1, 2, 4, 16, 255}) {
      const Placement placement(seed, node_id, shard_count);
      for (int key = 0; key < 4; ++key) {
        const NamespaceIdentity name_space{.tenant = "acme", .model = "deepseek-v3"};
        std::array<uint8_t, kMaxFramedIdentityBytes> buffer;
        const ByteView framed = FrameIdentity(FrameNamespace(name_space), static_cast<GroupIndex>(key % 2), 0,
                                              AsBytes(absl::StrCat("key-", key)), &buffer);
        absl::StrAppend(&text, golden::Hex(seed), " ", node_id, " ", shard_count, " ", golden::Hex(framed), " ",
                        placement.ShardOf(framed), "\n");
      }
    }
    for (uint8_t& byte : seed) byte = static_cast<uint8_t>(3 * byte + 1 + (&byte - seed.data()));
  }
  golden::ExpectFile("wire/placement.txt", text);
}

}  // namespace
}  // namespace incipit::wire
