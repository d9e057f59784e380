// Another node as one shard sees it: connections to its shards, and whether it is worth asking.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "client/src/core/circuit_breaker.h"
#include "cluster/warming/peer_link.h"
#include "cluster/warming/peer_routes.h"
#include "transport/wire/placement.h"

namespace incipit {

class PeerNode;

// A link lent for one or more requests, one after the other. Move-only; its end gives it back.
class LentLink {
 public:
  LentLink(std::shared_ptr<PeerNode> node, uint16_t shard, std::unique_ptr<PeerLink> link)
      : node_(std::move(node)), shard_(shard), link_(std::move(link)) {}
  LentLink(LentLink&&) noexcept = default;
  LentLink& operator=(LentLink&&) = delete;
  ~LentLink();
  PeerLink* operator->() const { return link_.get(); }

 private:
  std::shared_ptr<PeerNode> node_;
  uint16_t shard_;
  std::unique_ptr<PeerLink> link_;
};

// One thread: the loop's. `env` outlives it. Made as a shared_ptr: links that are lent hold it.
class PeerNode : public std::enable_shared_from_this<PeerNode> {
 public:
  // `addresses`: at least one, each on another lane, the best first.
  PeerNode(const PeerEnvironment* env, std::vector<std::string> addresses);

  // False after failures in a row, but for one question now and then.
  bool MayAsk();
  // Learns how its shards share the keys, from its first connection. Errors as Lend.
  Task<absl::Status> Greet(int64_t deadline_ns);
  // REQUIRES: Greet ended well. `framed_identity`: with the block's part.
  uint16_t ShardOf(ByteView framed_identity) const { return placement_->ShardOf(framed_identity); }
  // A connection to that shard: one that is free, a new one, or, at their limit, the next that becomes free.
  // Unavailable, DeadlineExceeded and what PeerLink::Connect says; failures count against the node.
  Task<absl::StatusOr<LentLink>> Lend(uint16_t shard, int64_t deadline_ns);

  // Ends what is under way, and lends no more.
  void Close();
  // Closes connections that nobody uses.
  void CloseIdle();
  bool closed() const { return closed_; }
  size_t links() const { return live_.size(); }

 private:
  friend class LentLink;
  struct ShardLinks {
    explicit ShardLinks(Loop* loop) : freed(loop) {}
    std::vector<std::unique_ptr<PeerLink>> idle;
    uint32_t lent = 0;
    Event freed;
  };
  ShardLinks* LinksTo(uint16_t shard);
  // Null: none that goes by this route or a better one.
  std::unique_ptr<PeerLink> TakeIdle(ShardLinks* links, size_t route);
  // By this route, or by one behind it.
  Task<absl::StatusOr<std::unique_ptr<PeerLink>>> Connect(uint16_t shard, size_t route, int64_t deadline_ns);
  Task<absl::StatusOr<std::unique_ptr<PeerLink>>> TryRoutes(uint16_t shard, size_t route, int64_t deadline_ns);
  void Return(uint16_t shard, std::unique_ptr<PeerLink> link);
  void OnFailure(const absl::Status& why);
  void OnRouteFailure(size_t route, PeerRoutes::Failure failure, const absl::Status& why);

  const PeerEnvironment* env_;
  PeerRoutes routes_;
  CircuitBreaker breaker_;
  int64_t next_try_ns_ = 0;  // while the breaker is open
  std::unique_ptr<wire::Placement> placement_;
  absl::flat_hash_map<uint16_t, std::unique_ptr<ShardLinks>> links_;
  std::vector<PeerLink*> live_;  // lent or idle
  bool closed_ = false;
};

}  // namespace incipit
