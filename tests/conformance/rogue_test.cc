// A tenant that tries everything to get at another's bytes: INCIPIT_CAMPAIGN_COUNT attempts on each lane from
// INCIPIT_SEED. It knows the victim's keys, lease, claim and every frame it sent, but not its secret. Run with
// sanitizers it also shows that the node reads and writes nothing that it should not.
#include "tests/conformance/conformance_test_base.h"
#include "tests/conformance/rogue_session.h"
#include "tests/support/campaign.h"
#include "transport/wire/claim_messages.h"

namespace incipit::conformance {
namespace {

using ::testing::Each;
using wire::FrameType;

constexpr char kMarker[] = "VICTIM";
constexpr uint64_t kRegionBytes = 128 << 10;
constexpr uint8_t kCanary = 0xcc;
constexpr uint64_t kCheckEvery = 1000;  // attempts between two looks at the victim

class Rogues : public ConformanceTest {
 protected:
  Rogues() : count_(testing::CampaignCount(2000)), seed_(testing::CampaignSeed()), dice_(MakeSeededRandom(seed_)) {
    layout_ = testing::SmallLayout(4, 64);  // segments of 1 KiB, blocks of 4 KiB
    options_.limits.max_claim_ms = options_.limits.max_lease_ms = 3'600'000;
    tenants_ = testing::MakeTable({testing::MakeTenant("victim"), testing::MakeTenant("rogue")});
    memory_.Make(kRegionBytes);
  }

  // The victim has blocks, a lease on them, and a claim on what it computes next.
  void StartWithAVictim() {
    StartNode();
    victim_ = Connect("victim");
    blocks_ = MakeBlocks(0, 24);
    for (const MutableBytes payload : blocks_.payloads) {
      for (size_t at = 0; at + 8 <= payload.size(); at += 8) {
        std::memcpy(payload.data() + at, kMarker, 6);
        payload[at + 6] = static_cast<uint8_t>(at / 8);
        payload[at + 7] = static_cast<uint8_t>(at / 2048);
      }
    }
    ASSERT_THAT(Store(victim_, blocks_), Each(BlockStatus::kOk));
    loot_.keys = blocks_.keys;
    loot_.layout = layout_.Encode();
    loot_.segment_bytes = static_cast<uint32_t>(group().SegmentBytes());
    loot_.segments = 4;
    ASSERT_TRUE(by_hand_.Connect("victim", &loot_.frames).ok());
    Pin();
    Claim();
    pinned_bytes_ = node_.shard()->Report().pinned_bytes;
    ASSERT_GT(pinned_bytes_, 0u);
  }
  template <typename Message>
  std::vector<uint8_t> SayAsVictim(FrameType type, const Message& message) {
    std::vector<uint8_t> meta, answer;
    message.Encode(&meta);
    wire::FrameHeader header{.type = type, .request_id = loot_.frames.size() + 1};
    header.meta_bytes = static_cast<uint32_t>(meta.size());
    loot_.frames.emplace_back(header, meta);
    EXPECT_TRUE(by_hand_.peer()->Send(type, header.request_id, meta).ok());
    EXPECT_TRUE(by_hand_.peer()->Answer(&answer).ok());
    return answer;
  }
  void Pin() {
    wire::Match match{.namespace_id = by_hand_.namespace_id(), .lease_ms = 3'600'000, .keys = {}};
    for (const auto& key : blocks_.keys) match.keys.push_back({.key = key});
    const std::vector<uint8_t> answer = SayAsVictim(FrameType::kMatch, match);
    loot_.ids.push_back(wire::MatchReply::Decode(answer)->lease_id);
  }
  void Claim() {
    const std::vector<uint8_t> key = testing::KeyOf(1000);
    wire::Claim claim{.namespace_id = by_hand_.namespace_id(), .claim_ms = 3'600'000, .keys = {{.key = key}}};
    const std::vector<uint8_t> answer = SayAsVictim(FrameType::kClaim, claim);
    claim_id_ = wire::ClaimReply::Decode(answer)->claim_id;
    loot_.ids.push_back(claim_id_);
  }

  void ExpectVictimIsWell(uint64_t attempt) {
    const std::string where = absl::StrCat("after attempt ", attempt, " of seed ", seed_);
    EXPECT_EQ(rogue_.foreign_frames(), 0u) << where;
    EXPECT_THAT(Load(victim_, blocks_), Each(BlockStatus::kOk)) << where;
    EXPECT_GE(node_.shard()->Report().pinned_bytes, pinned_bytes_) << where;
  }

  // Places for a shared load: right ones, and ones that reach out of the region or name another.
  std::vector<wire::RegionRef> Places(size_t keys) {
    std::vector<wire::RegionRef> pieces;
    for (uint64_t count = dice_->Below(6); count > 0; --count) {
      wire::RegionRef piece{.region_id = 1, .bytes = static_cast<uint32_t>(dice_->Below(12) * 1024)};
      piece.offset = dice_->Below(kRegionBytes);
      if (dice_->Below(8) == 0) piece.offset = dice_->Next() >> dice_->Below(64);
      if (dice_->Below(8) == 0) piece.bytes = static_cast<uint32_t>(dice_->Next() >> dice_->Below(64));
      if (dice_->Below(8) == 0) piece.region_id = static_cast<uint32_t>(dice_->Below(4));
      pieces.push_back(piece);
    }
    if (dice_->Below(2) == 0) {  // one of the right size, at the edge perhaps
      const auto bytes = static_cast<uint32_t>(keys * group().BlockBytes());
      pieces = {{1, bytes, dice_->Below(2) == 0 ? kRegionBytes - bytes : dice_->Below(kRegionBytes - bytes + 2)}};
    }
    return pieces;
  }
  // A load into shared memory: nothing outside of the pieces may change, and nothing at all be the victim's.
  absl::Status TrySharedLoad(RogueMind* mind) {
    std::ranges::fill(memory_.view(), kCanary);
    size_t keys = 0;
    const std::vector<uint8_t> load = mind->LoadMeta(rogue_.namespace_id(), &keys);
    const std::vector<wire::RegionRef> pieces = Places(keys);
    const auto slot = static_cast<uint32_t>(dice_->Below(8) == 0 ? dice_->Next() : dice_->Below(kControlWords));
    const absl::Status status = rogue_.LoadShared(pieces, slot, load);
    std::vector<uint8_t> may_change(kRegionBytes, 0);
    for (const wire::RegionRef& piece : pieces) {
      if (piece.region_id != 1 || piece.offset >= kRegionBytes) continue;
      const uint64_t bytes = std::min<uint64_t>(piece.bytes, kRegionBytes - piece.offset);
      std::fill_n(may_change.begin() + static_cast<int64_t>(piece.offset), bytes, 1);
    }
    uint64_t written = 0, outside = 0;
    for (uint64_t at = 0; at < kRegionBytes; ++at) {
      if (memory_.data[at] == kCanary) continue;
      ++(may_change[at] == 1 ? written : outside);
      EXPECT_EQ(memory_.data[at], 0xee) << "not the rogue's own bytes";
    }
    EXPECT_EQ(outside, 0u) << "bytes outside of the offered pieces";
    shared_bytes_ += written;
    return status;
  }
  // Memory that is not what it says, or shrinks or changes after it was passed.
  absl::Status TryRegion() {
    const int seals = dice_->Below(3) > 0 ? F_SEAL_SHRINK : 0;
    const uint64_t bytes = (dice_->Below(8) + 1) * 4096;
    const OwnedFd fd = MakeMemory(bytes, seals);
    const uint64_t stated = dice_->Below(3) > 0 ? bytes : dice_->Next() >> dice_->Below(64);
    const absl::Status status = rogue_.Register(2, stated, fd.get());
    EXPECT_EQ(status.ok(), seals != 0 && stated == bytes) << status << ", stated " << stated << " of " << bytes;
    if (!status.ok()) return absl::IsUnavailable(status) ? status : absl::OkStatus();
    EXPECT_NE(ftruncate(fd.get(), 0), 0);
    fallocate(fd.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, static_cast<off_t>(bytes));
    Attempt forget{.header = {.type = FrameType::kForgetRegion, .request_id = 5}};
    wire::ForgetRegion{2}.Encode(&forget.meta);
    forget.header.meta_bytes = static_cast<uint32_t>(forget.meta.size());
    return rogue_.Try(forget);
  }
  void Reconnect() {
    const absl::Status connected = rogue_.Connect("rogue", nullptr);
    ASSERT_TRUE(connected.ok()) << connected;
    const absl::Status shared = rogue_.ShareMemory(&memory_);
    ASSERT_TRUE(shared.ok()) << shared;
    ++connections_;
  }
  // Without the secret, by playing again what the victim said or by making something up.
  void TryToBeTheVictim() {
    RawPeer peer(lane_.get());
    const auto& [hello, hello_meta] = loot_.frames[0];
    const auto& [proof, proof_meta] = loot_.frames[1];
    std::vector<uint8_t> first = hello_meta, second = proof_meta;
    if (dice_->Below(3) == 0) first[dice_->Below(first.size())] ^= static_cast<uint8_t>(1u << dice_->Below(8));
    if (dice_->Below(3) == 0) second[dice_->Below(second.size())] ^= static_cast<uint8_t>(1u << dice_->Below(8));
    if (!peer.Send(dice_->Below(8) == 0 ? FrameType::kProof : hello.type, 1, first).ok()) return;
    const auto answer = peer.Receive();
    if (!answer.ok() || answer->type == FrameType::kError) return;
    ASSERT_EQ(answer->type, FrameType::kChallenge);
    if (!peer.Send(dice_->Below(8) == 0 ? FrameType::kMatch : proof.type, 2, second).ok()) return;
    const auto end = peer.Receive();
    if (!end.ok()) return;
    ASSERT_EQ(end->type, FrameType::kError) << "seed " << seed_;
  }

  uint64_t count_, seed_;
  std::unique_ptr<Random> dice_;
  TestClient* victim_ = nullptr;
  Blocks blocks_;
  Loot loot_;
  uint64_t claim_id_ = 0, pinned_bytes_ = 0, connections_ = 0, shared_bytes_ = 0;
  RogueSession by_hand_{lane_.get(), testing::SmallLayout(4, 64), kMarker};
  RogueSession rogue_{lane_.get(), testing::SmallLayout(4, 64), kMarker};
  PeerMemory memory_;
};
INCIPIT_ON_EVERY_LANE(Rogues);

TEST_P(Rogues, GetNoForeignByteAndHarmNobody) {
  StartWithAVictim();
  RogueMind mind(dice_.get(), &loot_);
  for (uint64_t attempt = 1; attempt <= count_ && !HasFailure(); ++attempt) {
    if (!rogue_.connected()) Reconnect();
    if (HasFatalFailure()) break;
    const bool shares = rogue_.peer()->channel()->stream()->CarriesDescriptors();
    const uint64_t kind = shares ? dice_->Below(10) : 9;
    absl::Status status;
    if (kind == 0)
      status = TryRegion();
    else if (kind < 4)
      status = TrySharedLoad(&mind);
    else
      status = rogue_.Try(mind.Next(rogue_.namespace_id()));
    if (!status.ok()) rogue_.Close();
    if (attempt % kCheckEvery == 0 || attempt == count_) ExpectVictimIsWell(attempt);
  }
  rogue_.Close();
  for (uint64_t attempt = 0; attempt < count_ / 100 + 20 && !HasFailure(); ++attempt) TryToBeTheVictim();
  EXPECT_TRUE(lane_->RunUntil([&] { return node_.shard()->Report().sessions == 2; }));
  EXPECT_EQ(node_.shard()->Report().pinned_bytes, pinned_bytes_);
  wire::Claim renewal{.namespace_id = by_hand_.namespace_id(), .claim_ms = 1000, .claim_id = claim_id_, .keys = {}};
  const std::vector<uint8_t> answer = SayAsVictim(FrameType::kClaim, renewal);
  EXPECT_EQ(wire::ClaimReply::Decode(answer)->claim_id, claim_id_) << "the victim's claim is gone, seed " << seed_;
  ExpectVictimIsWell(count_);
  EXPECT_GT(rogue_.bytes_received(), 0u);
  printf(
      "%s: %lu attempts, %lu connections, %lu frames and %lu bytes received, %lu bytes in shared memory: 0 foreign\n",
      GetParam().name, count_, connections_, rogue_.frames_received(), rogue_.bytes_received(), shared_bytes_);
}

// What the campaign looks for would be seen: here by the victim itself, by the same means.
TEST_P(Rogues, AreSeenIfTheyGetAnything) {
  StartWithAVictim();
  Attempt load{.header = {.type = FrameType::kLoad, .request_id = 3}};
  wire::Load{.namespace_id = by_hand_.namespace_id(), .keys = {{.key = blocks_.keys[0]}}}.Encode(&load.meta);
  load.header.meta_bytes = static_cast<uint32_t>(load.meta.size());
  ASSERT_TRUE(by_hand_.Try(load).ok());
  ASSERT_TRUE(lane_->RunUntil([&] { return node_.shard()->Report().loads_in_progress == 0; }));
  ASSERT_TRUE(by_hand_.Try({.header = {.type = FrameType::kPing, .request_id = 4}}).ok());
  EXPECT_EQ(by_hand_.foreign_frames(), 1u);
}

}  // namespace
}  // namespace incipit::conformance
