// Peers of the unix lane that pass memory which is not what they say, or name what they did not pass.
#include <cstdlib>

#include "incipit/shared_region.h"
#include "tests/conformance/conformance_test_base.h"
#include "tests/conformance/peer_memory.h"
#include "tests/conformance/raw_peer.h"

namespace incipit::conformance {
namespace {

using ::testing::Each;
using ::testing::HasSubstr;
using wire::FrameType;

constexpr uint64_t kRegionBytes = 4 << 20;

class UnixPeers : public ConformanceTest {
 protected:
  void Greet() {
    StartNode();
    good_ = Connect();
    blocks_ = MakeBlocks(0, 8);  // 2 MiB
    EXPECT_THAT(Store(good_, blocks_), Each(BlockStatus::kOk));
    peer_ = std::make_unique<RawPeer>(lane_.get());
    peer_->Greet(layout_, wire::kFeatureSharedRegions);
  }
  absl::Status Register(uint32_t id, const OwnedFd& fd, uint64_t bytes,
                        wire::RegionKind kind = wire::RegionKind::kMemory) {
    std::vector<int> fds = {fd.get()};
    if (kind == wire::RegionKind::kControl) fds.push_back(memory_.pipe[1].get());
    EXPECT_TRUE(peer_->Send(FrameType::kRegisterRegion, ++id_, wire::RegisterRegion{id, kind, bytes}, fds).ok());
    return peer_->Answer();
  }
  // A region 1 and a control page, mapped here too.
  void ShareMemory() {
    memory_.Make(kRegionBytes);
    ASSERT_TRUE(Register(0, memory_.control_fd, kControlBytes, wire::RegionKind::kControl).ok());
    ASSERT_TRUE(Register(1, memory_.fd, kRegionBytes).ok());
  }
  // Asks for all blocks, to be put at `pieces`.
  void AskFor(const std::vector<wire::RegionRef>& pieces, uint32_t slot = 0) {
    std::vector<uint8_t> meta;
    wire::SharedPlaces{.slot = slot, .pieces = pieces}.Encode(&meta);
    wire::Load load;
    for (const auto& key : blocks_.keys) load.keys.push_back({.key = key});
    load.Encode(&meta);
    ASSERT_TRUE(peer_->Send(FrameType::kLoad, ++id_, meta, {}, wire::kFrameFlagShared).ok());
  }
  absl::Status LoadStatus(const std::vector<wire::RegionRef>& pieces, uint32_t slot = 0) {
    AskFor(pieces, slot);
    return peer_->Answer();
  }
  uint32_t Bytes() const { return static_cast<uint32_t>(blocks_.keys.size() * group().BlockBytes()); }
  // The good one is served, nothing is held, and the bad one's connection still is in step.
  void ExpectAllIsWell() {
    EXPECT_THAT(Load(good_, blocks_), Each(BlockStatus::kOk));
    ASSERT_TRUE(peer_->Send(FrameType::kPing, ++id_, std::vector<uint8_t>()).ok());
    EXPECT_TRUE(peer_->Answer().ok());
    ExpectNothingLeaked();
  }

  TestClient* good_ = nullptr;
  Blocks blocks_;
  std::unique_ptr<RawPeer> peer_;
  uint64_t id_ = 100;
  PeerMemory memory_;
};
INSTANTIATE_TEST_SUITE_P(Lanes, UnixPeers, ::testing::Values(LaneCase{"unix", MakeUnixSharedMemoryLane}), LaneName);

TEST_P(UnixPeers, MemoryThatCouldVanishIsRefused) {
  Greet();
  const auto expect_refused = [&](const OwnedFd& fd, const char* why) {
    const absl::Status status = Register(1, fd, kRegionBytes);
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(why));
  };
  expect_refused(MakeMemory(kRegionBytes, 0), "may shrink");
  expect_refused(MakeMemory(kRegionBytes, F_SEAL_GROW), "may shrink");
  expect_refused(MakeMemory(kRegionBytes, F_SEAL_SHRINK | F_SEAL_WRITE), "cannot be written to");
  expect_refused(MakeMemory(kRegionBytes - 4096, F_SEAL_SHRINK), "4194304 were stated");
  expect_refused(MakeMemory(2 * kRegionBytes, F_SEAL_SHRINK), "4194304 were stated");
  expect_refused(MakeMemory(kRegionBytes, F_SEAL_SHRINK, MFD_HUGETLB), "huge pages");
  expect_refused(OwnedFd(open("/dev/zero", O_RDWR | O_CLOEXEC)), "no memfd");
  expect_refused(OwnedFd(open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC)), "no memfd");
  char path[] = "/tmp/incipit-region-XXXXXX";
  const OwnedFd file(mkstemp(path));
  unlink(path);
  ASSERT_EQ(ftruncate(file.get(), kRegionBytes), 0);
  expect_refused(file, "");
  ExpectAllIsWell();
}

TEST_P(UnixPeers, MemoryCannotBeCutShortAfterItWasPassed) {
  Greet();
  ShareMemory();
  EXPECT_NE(ftruncate(memory_.fd.get(), 4096), 0);
  // Its pages can be taken out of it, though. The shard gets others, as anybody would.
  ASSERT_EQ(fallocate(memory_.fd.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, kRegionBytes), 0);
  EXPECT_TRUE(LoadStatus({{1, Bytes(), 0}}).ok());
  EXPECT_EQ(std::memcmp(memory_.data, blocks_.payloads[0].data(), group().BlockBytes()), 0);
  ExpectAllIsWell();
}

TEST_P(UnixPeers, PlacesOutsideOfARegionAreRefused) {
  Greet();
  ShareMemory();
  const uint32_t bytes = Bytes();
  for (const std::vector<wire::RegionRef>& pieces :
       std::vector<std::vector<wire::RegionRef>>{{{1, bytes, kRegionBytes - bytes + 1}},
                                                 {{1, bytes, UINT64_MAX}},
                                                 {{1, bytes, UINT64_MAX - bytes + 1}},
                                                 {{1, bytes, 1ull << 63}},
                                                 {{1, bytes, kRegionBytes}},
                                                 {{1, bytes - 1, 0}},
                                                 {{1, bytes, 0}, {1, 1, 0}},
                                                 {{1, UINT32_MAX, 0}},
                                                 {{1, bytes - 10, 0}, {1, 10, kRegionBytes - 9}},
                                                 {}}) {
    const absl::Status status = LoadStatus(pieces);
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  }
  EXPECT_TRUE(std::all_of(memory_.data, memory_.data + kRegionBytes, [](uint8_t byte) { return byte == 0; }));
  EXPECT_TRUE(LoadStatus({{1, bytes, kRegionBytes - bytes}}).ok());  // up to the last byte
  ExpectAllIsWell();
}

TEST_P(UnixPeers, RegionsAndWordsThatWereNotPassedAreRefused) {
  Greet();
  EXPECT_TRUE(absl::IsNotFound(LoadStatus({{1, Bytes(), 0}})));
  ShareMemory();
  EXPECT_TRUE(absl::IsNotFound(LoadStatus({{2, Bytes(), 0}})));
  EXPECT_TRUE(absl::IsNotFound(LoadStatus({{0, Bytes(), 0}})));  // the control page is no region
  EXPECT_TRUE(absl::IsInvalidArgument(LoadStatus({{1, Bytes(), 0}}, kControlWords)));
  EXPECT_TRUE(absl::IsInvalidArgument(Register(1, memory_.fd, kRegionBytes)));
  EXPECT_TRUE(absl::IsInvalidArgument(Register(0, memory_.control_fd, kControlBytes, wire::RegionKind::kControl)));
  ASSERT_TRUE(peer_->Send(FrameType::kForgetRegion, ++id_, wire::ForgetRegion{7}).ok());
  EXPECT_TRUE(absl::IsNotFound(peer_->Answer()));
  ASSERT_TRUE(peer_->Send(FrameType::kForgetRegion, ++id_, wire::ForgetRegion{1}).ok());
  EXPECT_TRUE(peer_->Answer().ok());
  EXPECT_TRUE(absl::IsNotFound(LoadStatus({{1, Bytes(), 0}})));
  ExpectAllIsWell();
}

TEST_P(UnixPeers, DescriptorsThatDoNotFitTheirMessage) {
  Greet();
  const OwnedFd memory = MakeMemory(kRegionBytes, F_SEAL_SHRINK);
  ASSERT_TRUE(peer_->Send(FrameType::kRegisterRegion, ++id_, wire::RegisterRegion{1, {}, kRegionBytes}).ok());
  EXPECT_TRUE(absl::IsInvalidArgument(peer_->Answer()));
  const int fd = memory.get();
  // With messages that take none they wait, but only so many of them.
  for (int i = 0; i < 4; ++i) {
    ASSERT_TRUE(peer_->Send(FrameType::kPing, ++id_, std::vector<uint8_t>(), {fd, fd, fd, fd}).ok());
    EXPECT_TRUE(peer_->Answer().ok());
  }
  ASSERT_TRUE(peer_->Send(FrameType::kPing, ++id_, std::vector<uint8_t>(), {fd}).ok());
  EXPECT_TRUE(peer_->IsCutOff());
  EXPECT_THAT(Load(good_, blocks_), Each(BlockStatus::kOk));
}

TEST_P(UnixPeers, RegionsBeyondTheLimitsAreRefused) {
  options_.limits.regions_per_session = {.max_regions = 3, .max_bytes = 3 * kRegionBytes};
  Greet();
  ShareMemory();
  const OwnedFd large = MakeMemory(3 * kRegionBytes, F_SEAL_SHRINK);
  EXPECT_TRUE(absl::IsResourceExhausted(Register(2, large, 3 * kRegionBytes)));
  EXPECT_TRUE(Register(2, memory_.fd, kRegionBytes).ok());
  EXPECT_TRUE(Register(3, memory_.fd, kRegionBytes).ok());
  const OwnedFd small = MakeMemory(4096, F_SEAL_SHRINK);
  EXPECT_TRUE(absl::IsResourceExhausted(Register(4, small, 4096)));
  ExpectAllIsWell();
}

// A right client with more regions than the shard takes: what is not taken goes by the socket.
TEST_P(UnixPeers, ClientWithTooManyRegionsIsServedByTheSocket) {
  options_.limits.regions_per_session.max_regions = 2;
  StartNode();
  TestClient* client = Connect();
  std::vector<std::unique_ptr<SharedRegion>> regions;
  for (uint64_t first = 0; first < 8; ++first) {
    Blocks block = MakeBlocks(first, 1);
    regions.push_back(*SharedRegion::Create(2 * group().BlockBytes()));
    const MutableBytes bytes(regions.back()->data(), 2 * group().BlockBytes());
    std::ranges::copy(block.payloads[0], bytes.begin());
    block.payloads[0] = bytes.first(group().BlockBytes());
    block.buffers[0] = bytes.last(group().BlockBytes());
    EXPECT_THAT(Store(client, block), Each(BlockStatus::kOk));
    EXPECT_THAT(Load(client, block), Each(BlockStatus::kOk));
  }
  EXPECT_EQ(client->core->counters().shared_loads, 2u);
  EXPECT_EQ(client->core->counters().shared_stores, 2u);
  regions.clear();  // Room for others, once the shard has heard of it.
  const Blocks blocks = MakeBlocks(100, 2);
  EXPECT_THAT(Store(client, blocks), Each(BlockStatus::kOk));
  EXPECT_THAT(Load(client, blocks), Each(BlockStatus::kOk));
  EXPECT_EQ(client->core->counters().shared_loads, 3u);
}

TEST_P(UnixPeers, RegionForgottenWhileALoadCopiesIntoIt) {
  options_.limits.load_chunk_bytes = 256 << 10;
  Greet();
  ShareMemory();
  AskFor({{1, Bytes(), 0}});
  ASSERT_TRUE(peer_->Send(FrameType::kForgetRegion, ++id_, wire::ForgetRegion{1}).ok());
  memory_.UnmapData();
  memory_.fd.Reset();
  EXPECT_TRUE(lane_->RunUntil([&] {
    const ShardReport report = node_.shard()->Report();
    return report.requests.loads > 0 && report.loads_in_progress == 0;
  }));
  for (bool forgotten = false; !forgotten;) {
    const auto header = peer_->Receive();
    ASSERT_TRUE(header.ok()) << header.status();
    forgotten = header->type == FrameType::kRegionReply;
  }
  EXPECT_THAT(Load(good_, blocks_), Each(BlockStatus::kOk));
  ExpectNothingLeaked();
}

TEST_P(UnixPeers, WordsThatAreNotOpenStopTheLoadAndNothingElse) {
  Greet();
  ShareMemory();
  for (const uint32_t word : {uint32_t{kCopying}, uint32_t{kCopyRevoked}, uint32_t{kCopySettled}, 77u, UINT32_MAX}) {
    memory_.control[5].store(word);
    AskFor({{1, Bytes(), 0}}, 5);
    std::vector<uint8_t> meta;
    ASSERT_TRUE(peer_->Answer(&meta).ok());
    const auto reply = wire::LoadReply::Decode(meta);
    ASSERT_TRUE(reply.ok()) << reply.status();
    EXPECT_EQ(reply->blocks.size(), blocks_.keys.size());
    for (const wire::LoadedBlock& block : reply->blocks) EXPECT_EQ(block.status, BlockStatus::kExpired);
  }
  EXPECT_TRUE(std::all_of(memory_.data, memory_.data + kRegionBytes, [](uint8_t byte) { return byte == 0; }));
  ExpectAllIsWell();
}

// The checksums are right for what was there when they were made. What counts is what the shard has.
TEST_P(UnixPeers, MemoryChangedAfterItsChecksumsWereMadeIsNeverStored) {
  Greet();
  ShareMemory();
  const std::vector<uint8_t> key = testing::KeyOf(1000);
  const std::vector<uint8_t> bytes = testing::PayloadOf(key, group().BlockBytes());
  std::copy(bytes.begin(), bytes.end(), memory_.data);
  std::vector<uint8_t> meta, stored;
  wire::SharedPlaces{.pieces = {{1, static_cast<uint32_t>(bytes.size()), 0}}}.Encode(&meta);
  wire::Store store;
  store.blocks.push_back({.key = {.key = key}, .segments = testing::SegmentsOf(group(), bytes)});
  store.Encode(&meta);
  testing::AppendStored({}, store.blocks[0].segments, &stored);
  memory_.data[bytes.size() - 1] ^= 1;
  ASSERT_TRUE(peer_->Send(FrameType::kStore, ++id_, meta, {}, wire::kFrameFlagShared, stored).ok());
  std::vector<uint8_t> answer;
  ASSERT_TRUE(peer_->Answer(&answer).ok());
  EXPECT_THAT(wire::StatusReply::Decode(answer)->statuses, Each(BlockStatus::kDamaged));
  memory_.data[bytes.size() - 1] ^= 1;
  ASSERT_TRUE(peer_->Send(FrameType::kStore, ++id_, meta, {}, wire::kFrameFlagShared, stored).ok());
  ASSERT_TRUE(peer_->Answer(&answer).ok());
  EXPECT_THAT(wire::StatusReply::Decode(answer)->statuses, Each(BlockStatus::kOk));
  ExpectAllIsWell();
}

TEST_P(UnixPeers, TheClientLearnsWhenTheShardMapsItsMemoryNoMore) {
  Greet();
  ShareMemory();
  memory_.pipe[1].Reset();
  char byte = 0;
  EXPECT_EQ(read(memory_.pipe[0].get(), &byte, 1), -1);
  EXPECT_EQ(errno, EAGAIN);
  peer_->channel()->Close();
  EXPECT_TRUE(lane_->RunUntil([&] { return read(memory_.pipe[0].get(), &byte, 1) == 0; }));
}

}  // namespace
}  // namespace incipit::conformance
