// What every measurement on a node starts from: the node, clients of it, and blocks in it.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "bench/common/block_set.h"
#include "bench/common/private_node.h"
#include "bench/common/progress.h"
#include "bench/speed/bench_options.h"
#include "incipit/client.h"

namespace incipit::bench {

// Sizes of the private node, over all shards.
struct RigSizes {
  uint64_t ram_bytes = 0;
  uint64_t nvme_bytes = 0;  // 0 = no such tier
  uint64_t region_bytes = 0;
  std::vector<std::string> more_arguments;  // of `incipit serve`
};

// Owner: one benchmark. One thread.
class BenchRig {
 public:
  // Starts the private node, unless options.connect names another.
  static absl::StatusOr<std::unique_ptr<BenchRig>> Create(const BenchOptions& options, const Layout& layout,
                                                          const RigSizes& sizes);
  // A client with a connection of its own to each shard, which does its work on the calling thread.
  // `busy_retries` as in ClientOptions.
  absl::StatusOr<std::unique_ptr<Client>> Connect(uint32_t busy_retries = ClientOptions().busy_retries) const {
    return ConnectTo(address_, busy_retries);
  }
  absl::StatusOr<std::unique_ptr<Client>> ConnectTo(const std::string& address,
                                                    uint32_t busy_retries = ClientOptions().busy_retries) const;
  // One that codes what it stores, "" = none.
  absl::StatusOr<std::unique_ptr<Client>> ConnectCoding(const std::string& codec, uint32_t threads) const;
  // Stores every block of the set through `buffer` and checks that each is there. Not timed.
  absl::Status StoreSet(const BlockSet& set, MutableBytes buffer, const ProgressSink& progress) const;
  // The private node's CPU time so far; 0 without one.
  double ServerCpuSeconds() const { return node_ == nullptr ? 0 : node_->process()->CpuSeconds(); }
  PrivateNode* node() const { return node_.get(); }
  const std::string& address() const { return address_; }
  // Where the NVMe tier's files are, or files of the same kind may be made.
  std::string directory() const;

 private:
  BenchRig(const BenchOptions& options, const Layout& layout) : options_(options), layout_(layout) {}
  absl::StatusOr<ClientOptions> OptionsOfClient() const;
  BenchOptions options_;
  Layout layout_;
  std::unique_ptr<PrivateNode> node_;
  std::string address_;
};

// CPU time of both sides, summed over the stretches between Start and Stop.
class CpuMeter {
 public:
  explicit CpuMeter(const BenchRig* rig) : rig_(rig) {}
  void Start() {
    client_before_ = OwnCpuSeconds();
    server_before_ = rig_->ServerCpuSeconds();
  }
  void Stop() {
    client_s_ += OwnCpuSeconds() - client_before_;
    server_s_ += rig_->ServerCpuSeconds() - server_before_;
  }
  double client_s() const { return client_s_; }
  double server_s() const { return server_s_; }

 private:
  const BenchRig* rig_;
  double client_before_ = 0, server_before_ = 0, client_s_ = 0, server_s_ = 0;
};

// A number that no run has used before, so that keys made with it are new to every node.
uint64_t FreshKeySpace();

// Requests that move `blocks`, which lie in `buffer` one after the other, in batches of at most `batch_bytes`.
// The buffer must hold them all.
std::vector<LoadRequest> PlanLoads(const BlockSet& set, std::span<const PlannedBlock> blocks, uint64_t batch_bytes,
                                   MutableBytes buffer);
std::vector<StoreRequest> PlanStores(const BlockSet& set, std::span<const PlannedBlock> blocks, uint64_t batch_bytes,
                                     MutableBytes buffer);
// Writes the payload of `blocks` into `buffer`, one after the other.
void FillBlocks(std::span<const PlannedBlock> blocks, MutableBytes buffer);

// What a load of `blocks` into `buffer` brought.
struct LoadCheck {
  uint64_t wrong_bytes = 0;
  uint64_t missed = 0;
  uint64_t from_nvme = 0;
};
LoadCheck CheckLoads(std::span<const PlannedBlock> blocks, const std::vector<LoadResult>& results, ByteView buffer);

}  // namespace incipit::bench
