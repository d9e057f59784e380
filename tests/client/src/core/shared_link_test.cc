#include "client/src/core/shared_link.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cache/runtime/sim_loop.h"
#include "incipit/shared_region.h"

namespace incipit {
namespace {

// The shard's end: maps the control page, holds the pipe.
class SharedLinkTest : public testing::Test {
 protected:
  SharedLinkTest() {
    std::vector<SharedLink::Registration> registrations = link_->Register({});
    EXPECT_EQ(registrations.size(), 1u);
    EXPECT_EQ(registrations[0].descriptors.size(), 2u);
    words_ = static_cast<ControlWord*>(
        mmap(nullptr, kControlBytes, PROT_READ | PROT_WRITE, MAP_SHARED, registrations[0].descriptors[0], 0));
    pipe_ = OwnedFd(dup(registrations[0].descriptors[1]));
  }
  ~SharedLinkTest() override { munmap(words_, kControlBytes); }
  SharedMappingPtr MappingOf(const SharedRegion& region) {
    for (const SharedMappingPtr& mapping : SharedMappings::All()) {
      if (mapping->base == region.data()) return mapping;
    }
    return nullptr;
  }
  // Whether Revoke has ended after `ns`.
  Task<void> Revoke(uint64_t id, bool* ended) {
    Task<void> revoking = SharedLink::Revoke(link_, &loop_, id);
    co_await revoking;
    *ended = true;
  }

  SimLoop loop_;
  std::shared_ptr<SharedLink> link_ = SharedLink::Create();
  ControlWord* words_ = nullptr;
  OwnedFd pipe_;
};

TEST_F(SharedLinkTest, RegionsAreRegisteredOnceAndForgottenWhenTheyAreGone) {
  auto region = *SharedRegion::Create(4096);
  const SharedMappingPtr mapping = MappingOf(*region);
  EXPECT_EQ(link_->Register({mapping}).size(), 1u);
  EXPECT_TRUE(link_->Register({mapping}).empty());
  EXPECT_TRUE(link_->Forget().empty());
  region.reset();
  EXPECT_THAT(link_->Forget(), testing::ElementsAre(mapping->id));
  EXPECT_TRUE(link_->Forget().empty());
}

TEST_F(SharedLinkTest, RefusedRegionsAreNotTriedAgain) {
  auto one = *SharedRegion::Create(4096), other = *SharedRegion::Create(4096);
  link_->Refuse({MappingOf(*one)});
  EXPECT_FALSE(link_->Accepts({MappingOf(*other), MappingOf(*one)}));
  EXPECT_TRUE(link_->Accepts({MappingOf(*other)}));
}

TEST_F(SharedLinkTest, EveryWordIsGivenOnceUntilItIsFree) {
  std::vector<bool> seen(kControlWords, false);
  for (uint64_t id = 1; id <= kControlWords; ++id) {
    const auto slot = link_->TakeSlot(id);
    ASSERT_TRUE(slot.has_value());
    EXPECT_FALSE(seen[*slot]);
    seen[*slot] = true;
  }
  EXPECT_FALSE(link_->TakeSlot(5000).has_value());
  link_->FreeSlot(9999);
  EXPECT_FALSE(link_->TakeSlot(5000).has_value());
  link_->FreeSlot(7);
  EXPECT_TRUE(link_->TakeSlot(5000).has_value());
}

TEST_F(SharedLinkTest, RevokingEndsAtOnceUnlessASliceIsBeingCopied) {
  const uint32_t slot = *link_->TakeSlot(1);
  bool ended = false;
  TaskScope scope(&loop_);
  scope.Spawn(Revoke(1, &ended));
  EXPECT_TRUE(ended);
  EXPECT_FALSE(BeginCopy(&words_[slot]));
  link_->FreeSlot(1);
  const uint32_t again = *link_->TakeSlot(2);
  EXPECT_TRUE(BeginCopy(&words_[again])) << "a free word is open again";
  ended = false;
  scope.Spawn(Revoke(2, &ended));
  loop_.RunUntil(loop_.NowNs() + 1'000'000'000);
  EXPECT_FALSE(ended) << "the shard is still copying";
  EndCopy(&words_[again]);
  loop_.RunUntil(loop_.NowNs() + 10'000'000);
  EXPECT_TRUE(ended);
}

TEST_F(SharedLinkTest, ShardThatDiedInsideASliceCopiesNothingAnyMore) {
  const uint32_t slot = *link_->TakeSlot(1);
  ASSERT_TRUE(BeginCopy(&words_[slot]));
  bool ended = false;
  TaskScope scope(&loop_);
  scope.Spawn(Revoke(1, &ended));
  loop_.RunUntil(loop_.NowNs() + 100'000'000);
  EXPECT_FALSE(ended);
  pipe_.Reset();  // as the kernel does for a process that has ended
  loop_.RunUntil(loop_.NowNs() + 10'000'000);
  EXPECT_TRUE(ended);
}

}  // namespace
}  // namespace incipit
