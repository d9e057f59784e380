// What the policies of one tier share across the shards of a node: what they learn, what they cut, how they duel.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "eviction/cut_board.h"
#include "eviction/duel_board.h"
#include "eviction/reuse_exchange.h"

namespace incipit {

// Any thread. Each shard still decides alone and waits for nobody: what it reads here may be late or missing, and then
// it decides less well. `part` keeps apart what must not mix: owners of blocks, and policies within a duel.
class PolicyPeers {
 public:
  explicit PolicyPeers(uint32_t shards) : shards_(shards) {}
  uint32_t shards() const { return shards_; }
  std::shared_ptr<ReuseExchange> Reuse(const std::string& part) { return Get(part, &reuse_); }
  std::shared_ptr<CutBoard> Cuts(const std::string& part) { return Get(part, &cuts_); }
  std::shared_ptr<DuelBoard> Duel(const std::string& part) { return Get(part, &duels_); }

 private:
  template <typename Board>
  std::shared_ptr<Board> Get(const std::string& part, std::map<std::string, std::shared_ptr<Board>>* boards) {
    const std::lock_guard<std::mutex> lock(mutex_);
    std::shared_ptr<Board>& board = (*boards)[part];
    if (board == nullptr) board = std::make_shared<Board>();
    return board;
  }

  uint32_t shards_;
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<ReuseExchange>> reuse_;
  std::map<std::string, std::shared_ptr<CutBoard>> cuts_;
  std::map<std::string, std::shared_ptr<DuelBoard>> duels_;
};

}  // namespace incipit
