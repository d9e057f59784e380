// One client of the kill -9 campaign: stores, loads, removes, and remembers what it did over the node's lives.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "cache/seams/random.h"
#include "tests/processes/block_set.h"

namespace incipit::campaign {

// One thread at a time. No other worker touches its blocks.
class Kill9Worker {
 public:
  Kill9Worker(uint64_t seed, uint64_t first_number) : random_(MakeSeededRandom(seed)), next_(first_number) {}

  // Works until told to stop; a node that dies meanwhile only makes its calls fail.
  void Run(const std::string& address, const std::atomic<bool>* stop) {
    auto clients = BlockClients::Connect(address, kDeadlineMs);
    if (!clients.ok()) return;
    while (!stop->load()) {
      switch (random_->Below(10)) {
        case 0:
          Remove(clients->get());
          break;
        case 1:
        case 2:
        case 3:
        case 4:
          Load(clients->get());
          break;
        default:
          Store(clients->get());
      }
    }
  }

  // Every 16th block may be removed once, and is not stored again then.
  static bool Removable(const Block& block) { return block.key[7] % 16 == 0; }
  std::vector<Block> Remembered() const { return {known_.begin(), known_.end()}; }
  const std::vector<Block>& removed() const { return removed_; }
  Tally tally;
  uint64_t stored = 0, conflicts = 0;

 private:
  static constexpr size_t kRemembered = 4000;  // loads are of the newest blocks
  static constexpr uint32_t kDeadlineMs = 1000;
  static uint64_t BatchOf(uint64_t name_space) { return name_space == 2 ? 2 : name_space == 1 ? 8 : 24; }

  void Store(BlockClients* clients) {
    const auto name_space = static_cast<uint8_t>(random_->Below(Namespaces().size()));
    const uint64_t groups = Namespaces()[name_space].layout.groups.size();
    std::vector<Block> blocks;
    const bool again = !known_.empty() && random_->Below(8) == 0;
    if (again) blocks.push_back(known_[random_->Below(known_.size())]);
    for (uint64_t i = again ? 0 : 1 + random_->Below(BatchOf(name_space)); i > 0; --i) {
      blocks.push_back({name_space, static_cast<GroupIndex>(random_->Below(groups)), KeyOfNumber(next_++)});
    }
    const auto result = clients->Store(blocks);
    // Also after an error: the node may have stored some of them.
    for (const Block& block : blocks) {
      if (!again) (Removable(block) ? removable_ : known_).push_back(block);
    }
    while (known_.size() > kRemembered) known_.pop_front();
    if (!result.ok()) return;
    stored += result->Count(BlockStatus::kOk);
    conflicts += result->Count(BlockStatus::kConflict);
  }

  void Load(BlockClients* clients) {
    if (known_.empty()) return;
    const Block first = known_[random_->Below(known_.size())];
    std::vector<Block> blocks = {first};
    for (int i = 0; i < 32 && blocks.size() < BatchOf(first.name_space); ++i) {
      const Block& other = known_[random_->Below(known_.size())];
      if (other.name_space == first.name_space) blocks.push_back(other);
    }
    clients->Load(blocks, &tally);
  }

  void Remove(BlockClients* clients) {
    if (removable_.empty()) return;
    const Block block = removable_.front();
    removable_.pop_front();
    const auto result = clients->Remove({block});
    if (result.ok() && result->status[0] == BlockStatus::kOk) removed_.push_back(block);
  }

  std::unique_ptr<Random> random_;
  uint64_t next_;
  std::deque<Block> known_, removable_;
  std::vector<Block> removed_;
};

}  // namespace incipit::campaign
