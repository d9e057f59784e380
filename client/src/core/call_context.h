// What every call of a client needs: the seams, the namespace, the links to the nodes.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "client/include/incipit/client.h"
#include "client/src/codec/buffer_pool.h"
#include "client/src/codec/coding_options.h"
#include "client/src/codec/coding_workers.h"
#include "client/src/codec/sealer_pool.h"
#include "client/src/codec/segment_codec.h"
#include "client/src/copies/copy_table.h"
#include "client/src/core/links.h"
#include "client/src/recompute_guard.h"

namespace incipit {

// One pin, claim or wait, known to one connection of one shard.
struct LeaseGrant {
  std::weak_ptr<ShardConnection> connection;
  uint64_t session_number = 0;
  uint64_t lease_id = 0;  // what Release names
};

// Owned by ClientCore; outlives every call. One thread: the loop's.
struct CallContext {
  Loop* loop = nullptr;
  const ClientOptions* options = nullptr;
  std::vector<uint8_t> framed_namespace;
  Links* links = nullptr;
  Random* random = nullptr;
  CopyTable* copies = nullptr;  // of a cluster
  RecomputeGuard* guard = nullptr;
  SegmentCodec* codec = nullptr;     // sealed: of all blocks, and no others are accepted. Raw: of those not coded
  CodecOptions coding;               // of groups that it codes
  SealerPool* sealers = nullptr;     // for what is coded and sealed; null without a sealing key
  CodingWorkers* workers = nullptr;  // that code and decode
  BufferPool* buffers = nullptr;     // for what is not stored from, or loaded to, the caller's memory
  Budget* sending_budget = nullptr;  // bytes of `buffers` in stores
  ClientCounters* counters = nullptr;
  std::function<uint64_t()> new_stamp;
  std::function<Lease(std::vector<LeaseGrant>)> make_lease;
  std::function<void(std::vector<LeaseGrant>, uint32_t claim_ms)> renew;
  std::function<void(std::vector<LeaseGrant>)> release;  // at once, on the loop's thread
  TaskScope* background = nullptr;                       // for what outlives its call
  Budget* copying_budget = nullptr;                      // bytes of blocks that are being copied

  const Layout& layout() const { return options->layout; }
  int64_t DeadlineNs(uint32_t deadline_ms) const {
    return loop->NowNs() + int64_t{deadline_ms == 0 ? options->default_deadline_ms : deadline_ms} * 1'000'000;
  }
  uint64_t Stamp(uint64_t stamp_ns) const { return stamp_ns != 0 ? stamp_ns : new_stamp(); }
};

// What is left until `deadline_ns`, for the node: at least 1.
inline uint32_t RemainingMs(const Loop* loop, int64_t deadline_ns) {
  return static_cast<uint32_t>(std::clamp<int64_t>((deadline_ns - loop->NowNs()) / 1'000'000, 1, UINT32_MAX));
}

}  // namespace incipit
