// The client without threads or sockets of its own: it stands on the seams only, so that a whole cluster of clients and
// nodes can run in one thread of a test, in virtual time. Client puts a thread and TCP around it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "client/src/core/call_context.h"

namespace incipit {

// One thread: the loop's. Start() it, and Stop() before destroying it; the seams must outlive it. Every call ends by
// its deadline (or very soon after) and then refers to no memory of the caller. See Client for what each call does.
class ClientCore {
 public:
  // InvalidArgument naming the option, what was found and what is allowed.
  static absl::Status CheckOptions(const ClientOptions& options);

  // `workers` code and decode; without any this does it itself. They must outlive it. REQUIRES: CheckOptions(options)
  // is ok.
  ClientCore(Loop* loop, Connector* connector, Random* random, ClientOptions options, CodingWorkers* workers = nullptr);
  ~ClientCore();

  void Start();
  Task<void> Stop();
  // OK once every shard is connected and the namespace is open; of a cluster, those of one node.
  Task<absl::Status> WaitConnected();

  Task<absl::StatusOr<MatchResult>> Match(MatchRequest request);
  Task<absl::StatusOr<MatchResult>> Wait(WaitRequest request);
  Task<absl::StatusOr<LoadResult>> Load(LoadRequest request);
  Task<absl::StatusOr<StatusResult>> Offer(OfferRequest request);
  Task<absl::StatusOr<StatusResult>> Store(StoreRequest request);
  Task<absl::StatusOr<StatusResult>> Touch(TouchRequest request);
  Task<absl::StatusOr<StatusResult>> Remove(RemoveRequest request);
  Task<absl::StatusOr<std::vector<ShardStats>>> Stats();

  // Let go of pins, claims and waits, and prolong claims, without waiting for the answers.
  void Release(std::vector<LeaseGrant> grants);
  void Renew(std::vector<LeaseGrant> grants, uint32_t claim_ms);
  // How a lease comes back here; by default directly, which suits one thread.
  void set_make_lease(std::function<Lease(std::vector<LeaseGrant>)> make_lease) {
    context_.make_lease = std::move(make_lease);
  }
  // The same for a claim that is to be prolonged.
  void set_renew(std::function<void(std::vector<LeaseGrant>, uint32_t claim_ms)> renew) {
    context_.renew = std::move(renew);
  }
  void set_new_stamp(std::function<uint64_t()> new_stamp) { context_.new_stamp = std::move(new_stamp); }

  const ClientOptions& options() const { return options_; }
  const ClientCounters& counters() const { return counters_; }
  // Of the node; of a cluster all in one, under the name of its address.
  NodeInfo node() const;
  std::vector<NodeInfo> nodes() const { return links_->Nodes(); }
  uint64_t epoch() const { return links_->epoch(); }

 private:
  Task<void> ReleaseOne(LeaseGrant grant);
  Task<void> RenewOne(LeaseGrant grant, uint32_t claim_ms);
  Task<void> StatsOfShard(ShardConnection* connection, int64_t deadline_ns, std::vector<ShardStats>* out);

  Loop* loop_;
  ClientOptions options_;
  ClientCounters counters_;
  RecomputeGuard guard_;
  Layout wire_layout_;  // under which the namespace is opened: options_.layout, or its sealed or lossy form
  std::unique_ptr<SegmentCodec> codec_;
  std::unique_ptr<SealerPool> sealers_;  // with a sealing key
  InlineWorkers inline_workers_;
  BufferPool buffers_;
  Budget sending_budget_;
  CopyTable copies_;
  Budget copying_budget_;
  CallContext context_;
  std::unique_ptr<Links> links_;
  uint64_t last_stamp_ns_ = 0;
  bool stopping_ = false;
  TaskScope background_;                // that no call waits for
  std::shared_ptr<ClientCore*> alive_;  // leases hold it weakly
};

}  // namespace incipit
