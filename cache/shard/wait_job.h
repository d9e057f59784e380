// One Wait: tells a client what becomes of blocks that are not here yet.
#pragma once

#include <cstdint>
#include <vector>

#include "cache/shard/claim_table.h"
#include "cache/shard/session.h"

namespace incipit {

// Lives as long as its task. One thread: the shard's. Costs two words and a byte a key, whatever happens to them.
class WaitJob : private BlockWatcher {
 public:
  WaitJob(Session* session, uint64_t request_id, std::vector<uint8_t> meta);
  ~WaitJob() override;

  // InvalidArgument; ResourceExhausted: over a limit of keys watched.
  absl::Status Prepare();
  // Sends the state of every key, then each change until all blocks are here, the deadline or Stop().
  Task<void> Run();
  void Stop();  // Run ends soon; does not wait for it
  uint64_t id() const { return wire::kWaitIdBit | request_id_; }

 private:
  void OnState(uint32_t index, wire::BlockState state) override;
  void WatchAll();
  void Change(uint32_t index, wire::BlockState state);
  Task<void> WaitForChanges();
  Task<absl::Status> SendChanges(bool last);

  Session* session_;
  Shard* shard_;
  uint64_t request_id_;
  std::vector<uint8_t> meta_;  // the keys of request_ are views into it
  wire::Wait request_;
  NamespaceId name_space_ = 0;
  int64_t deadline_ns_ = 0;
  bool admitted_ = false;
  std::vector<uint32_t> slots_;  // of the claim table
  std::vector<wire::BlockState> states_;
  std::vector<bool> changed_;      // since it was last told
  std::vector<uint32_t> changes_;  // the keys that did, in order
  size_t missing_ = 0;
  bool stopped_ = false;
  Event wake_;
};

}  // namespace incipit
