// One inference worker of a replay: takes the trace's requests in turn, loads what the cache holds of each prompt,
// verifies it, and stores the rest.
#pragma once

#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "bench/replay/replay_options.h"
#include "bench/replay/replay_queue.h"
#include "incipit/client.h"

namespace incipit::bench {

// One thread, with a client of its own. Payload buffers of at most kWindowBytes, or one block, are kept for reuse.
class ReplayWorker {
 public:
  static constexpr uint64_t kWindowBytes = 64 * kMiB;
  static constexpr size_t kKeyBytes = 32;

  // With `seeds` it works on the cluster that they are of, else on the node at client.address. Errors of
  // Client::Connect. `interval_ms`: of the intervals to count apart, 0 = none.
  static absl::StatusOr<std::unique_ptr<ReplayWorker>> Create(ClientOptions client,
                                                              const std::vector<std::string>& seeds,
                                                              uint64_t longest_chain, uint32_t interval_ms);

  // Until the queue is empty. Unavailable: the node cannot be reached any more. A cluster always can: requests that
  // fail are counted.
  absl::Status Run(ReplayQueue* queue);
  const ReplayCounts& counts() const { return counts_; }

 private:
  struct Block {
    BlockKey key;
    uint64_t seed = 0;
  };
  ReplayWorker() = default;
  absl::Status Handle(const TraceRequest& request, uint64_t stamp_ns);
  absl::StatusOr<uint64_t> LoadLeadingRun(uint64_t run, uint64_t stamp_ns);
  absl::Status StoreFrom(uint64_t first, uint64_t stamp_ns);
  absl::Status StoreWindow(uint64_t first, uint64_t count, uint64_t stamp_ns);
  void CountStored(const StatusResult& result, std::vector<StoreItem>* items);
  uint32_t DepthOf(uint64_t block) const { return static_cast<uint32_t>(block * group_.block_tokens); }
  uint8_t* BufferOf(uint64_t slot) { return buffer_.data() + slot * block_bytes_; }

  std::unique_ptr<Client> client_;
  bool of_cluster_ = false;
  GroupSpec group_;
  LayoutFingerprint fingerprint_{};
  uint64_t block_bytes_ = 0;
  uint64_t window_blocks_ = 1;
  std::vector<uint8_t> buffer_;  // window_blocks_ payloads
  std::vector<Block> blocks_;    // of the request in hand
  uint32_t interval_ms_ = 0;
  uint32_t deadline_ms_ = 0;
  uint64_t request_hits_ = 0, request_present_ = 0;  // of the request in hand
  double request_us_ = 0;                            // in calls of the client, of the request in hand
  ReplayCounts counts_;
};

}  // namespace incipit::bench
