// Whoever hears of runs must do what it would have done had it heard of each touch.
#include "eviction/run_policy.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "eviction/auto_policy.h"
#include "eviction/cut_follower.h"
#include "eviction/gil.h"
#include "eviction/leaf_first_lru.h"

namespace incipit {
namespace {

constexpr auto kAny = [](BlockId) { return true; };
constexpr uint32_t kBlockTokens = 64;

// Hears of one touch at a time.
class OneByOne final : public Policy {
 public:
  explicit OneByOne(std::unique_ptr<Policy> within) : within_(std::move(within)) {}
  std::string_view name() const override { return within_->name(); }
  void OnInsert(BlockId id, const Access& access) override { within_->OnInsert(id, access); }
  void OnAccess(BlockId id, const Access& access) override { within_->OnAccess(id, access); }
  void OnHint(BlockId id, const Hint& hint) override { within_->OnHint(id, hint); }
  void UseKeysOf(const KeySource* keys) override { within_->UseKeysOf(keys); }
  void SetCapacity(size_t blocks, size_t ghosts) override { within_->SetCapacity(blocks, ghosts); }
  void OnRemove(BlockId id) override { within_->OnRemove(id); }
  BlockId Victim(absl::FunctionRef<bool(BlockId)> evictable, size_t most) override {
    return within_->Victim(evictable, most);
  }
  bool Outranks(BlockId a, BlockId b) const override { return within_->Outranks(a, b); }
  uint64_t StampOf(BlockId id) const override { return within_->StampOf(id); }
  size_t size() const override { return within_->size(); }
  uint64_t MemoryBytes() const override { return within_->MemoryBytes(); }

 private:
  std::unique_ptr<Policy> within_;
};

using Made = std::unique_ptr<Policy>;
struct Kind {
  const char* name;
  Made (*make)();
};

Made NewGil() { return std::make_unique<GilPolicy>(GilOptions{.capacity_blocks = 2000}); }
Made Followed(Made made) { return std::make_unique<CutFollower>(std::move(made), std::make_shared<CutBoard>()); }
template <typename Wrap>
Made NewAuto(Wrap wrap) {
  AutoOptions options{.capacity_blocks = 2000};
  options.contestants.push_back(wrap(MakeLeafFirstLru()));
  options.contestants.push_back(wrap(NewGil()));
  return std::make_unique<AutoPolicy>(std::move(options));
}

constexpr Kind kKinds[] = {
    {"lru", [] { return MakeLeafFirstLru(); }},
    {"gil", [] { return NewGil(); }},
    {"cut_lru", [] { return Followed(MakeLeafFirstLru()); }},
    {"cut_gil", [] { return Followed(NewGil()); }},
    {"auto", [] { return NewAuto([](Made made) { return made; }); }},
};

struct Block {
  uint64_t key;
  uint32_t depth_tokens;
};

// Prompts that begin as earlier ones did and go on in their own way, of up to 400 blocks.
class Prompts {
 public:
  explicit Prompts(uint64_t seed) : random_(seed) {}
  std::vector<Block> Next() {
    std::vector<Block> prompt;
    if (!before_.empty() && random_() % 8 != 0) {
      prompt = before_[random_() % before_.size()];
      if (random_() % 2 == 0) prompt.resize(random_() % (prompt.size() + 1));
    }
    const size_t more = random_() % 100;
    for (size_t i = 0; i < more && prompt.size() < 400; ++i) {
      prompt.push_back({++last_key_, static_cast<uint32_t>(prompt.size()) * kBlockTokens});
    }
    before_.push_back(prompt);
    if (before_.size() > 60) before_.erase(before_.begin());
    return prompt;
  }
  uint64_t Random() { return random_(); }

 private:
  std::mt19937_64 random_;
  std::vector<std::vector<Block>> before_;
  uint64_t last_key_ = 0;
};

// Two of a kind hold the same blocks; one of them hears of runs.
class RunPolicyTest : public testing::TestWithParam<Kind> {
 protected:
  static constexpr size_t kRoom = 2000;

  void Make() {
    runs_ = GetParam().make();
    by_runs_ = dynamic_cast<RunPolicy*>(runs_.get());
    one_by_one_ = by_runs_ != nullptr
                      ? GetParam().make()
                      : NewAuto([](Made made) -> Made { return std::make_unique<OneByOne>(std::move(made)); });
    held_.clear();
    key_of_.clear();
    unused_.clear();
  }

  // What is held of the prompt; as a whole, or in two parts, perhaps the deeper one first. Returns its ids.
  std::vector<BlockId> TouchHeld(const std::vector<Block>& prompt, const Access& access, Prompts* prompts) {
    std::vector<BlockId> ids;
    std::vector<uint32_t> depths;
    for (const Block& block : prompt) {
      const auto found = held_.find(block.key);
      if (found == held_.end()) continue;
      ids.push_back(found->second);
      depths.push_back(block.depth_tokens);
    }
    const size_t cut = std::min<size_t>(prompts->Random() % 400, ids.size());
    const bool deeper_first = prompts->Random() % 3 == 0;
    for (const bool deeper : {deeper_first, !deeper_first}) {
      const size_t from = deeper ? cut : 0, to = deeper ? ids.size() : cut;
      Touch({ids.begin() + from, ids.begin() + to}, {depths.begin() + from, depths.begin() + to}, access);
    }
    return ids;
  }

  // `auto` makes runs of what it is told.
  void Touch(const std::vector<BlockId>& ids, const std::vector<uint32_t>& depths, const Access& access) {
    Access each = access;
    for (size_t i = 0; i < ids.size(); ++i) {
      each.depth_tokens = depths[i];
      one_by_one_->OnAccess(ids[i], each);
      if (by_runs_ == nullptr) runs_->OnAccess(ids[i], each);
    }
    if (by_runs_ != nullptr && !ids.empty()) by_runs_->OnAccessRun(ids, depths, access);
  }

  void InsertRest(const std::vector<Block>& prompt, Access access) {
    for (const Block& block : prompt) {
      if (held_.contains(block.key)) continue;
      BlockId id = static_cast<BlockId>(key_of_.size());
      if (unused_.empty()) {
        key_of_.push_back(block.key);
      } else {
        id = unused_.back();
        unused_.pop_back();
        key_of_[id] = block.key;
      }
      held_[block.key] = id;
      access.depth_tokens = block.depth_tokens;
      access.key = block.key;
      for (Policy* policy : {runs_.get(), one_by_one_.get()}) policy->OnInsert(id, access);
    }
  }

  void GiveHints(const std::vector<BlockId>& ids, uint64_t stamp_ns, Prompts* prompts) {
    const Hint hint{.next_use_ns = stamp_ns + 3'000'000'000};
    for (size_t i = 0; i < ids.size(); i += 1 + prompts->Random() % 20) {
      for (Policy* policy : {runs_.get(), one_by_one_.get()}) policy->OnHint(ids[i], hint);
    }
  }

  void Compare() {
    for (const auto& [key, id] : held_) ASSERT_EQ(runs_->StampOf(id), one_by_one_->StampOf(id));
  }

  // Back to what there is room for. Returns how many went.
  size_t Evict() {
    size_t victims = 0;
    for (; held_.size() > kRoom; ++victims) {
      const BlockId victim = runs_->Victim(kAny, SIZE_MAX);
      EXPECT_NE(victim, kNoBlock);
      EXPECT_EQ(victim, one_by_one_->Victim(kAny, SIZE_MAX));
      if (HasFailure()) break;
      for (Policy* policy : {runs_.get(), one_by_one_.get()}) policy->OnRemove(victim);
      held_.erase(key_of_[victim]);
      unused_.push_back(victim);
    }
    return victims;
  }

  Made runs_, one_by_one_;
  RunPolicy* by_runs_ = nullptr;
  std::map<uint64_t, BlockId> held_;
  std::vector<uint64_t> key_of_;
  std::vector<BlockId> unused_;
};

// With blocks that are gone, hints, requests that come late, and such as are told of in two parts.
TEST_P(RunPolicyTest, DoesWhatItWouldHaveDoneOneByOne) {
  size_t touched = 0, victims = 0;
  for (uint64_t seed = 1; seed <= 3; ++seed) {
    Make();
    Prompts prompts(seed);
    for (uint64_t request = 1; request <= 1500; ++request) {
      SCOPED_TRACE(testing::Message() << "seed " << seed << ", request " << request);
      const std::vector<Block> prompt = prompts.Next();
      const uint64_t late_ns = prompts.Random() % 16 == 0 ? 5'500'000'000 : 0;
      const Access access{.stamp_ns = (request + 10) * 1'000'000'000 - late_ns,
                          .turn = static_cast<uint32_t>(request % 3)};
      const std::vector<BlockId> ids = TouchHeld(prompt, access, &prompts);
      touched += ids.size();
      InsertRest(prompt, access);
      if (prompts.Random() % 4 == 0) GiveHints(ids, access.stamp_ns, &prompts);
      if (request % 8 == 0) Compare();
      if (prompts.Random() % 2 == 0) victims += Evict();  // shadows may be cut at the next request only
      if (HasFailure()) return;
    }
  }
  EXPECT_GT(touched, 100'000u);
  EXPECT_GT(victims, 10'000u);
}

INSTANTIATE_TEST_SUITE_P(Kinds, RunPolicyTest, testing::ValuesIn(kKinds),
                         [](const auto& kind) { return std::string(kind.param.name); });

}  // namespace
}  // namespace incipit
