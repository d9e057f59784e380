// What one connection knows of memory shared with its shard: the regions registered on it, and the control words by
// which loads take their memory back (transport/shared/control_words.h).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "cache/runtime/loop.h"
#include "cache/runtime/task.h"
#include "client/src/shared_mapping.h"
#include "transport/shared/control_words.h"

namespace incipit {

// One thread: the loop's. Made with the connection; calls that are still ending keep it after the connection is gone.
class SharedLink {
 public:
  // Null if the kernel has no memory or descriptors for it: then bytes go over the socket.
  static std::shared_ptr<SharedLink> Create();
  ~SharedLink();
  SharedLink(const SharedLink&) = delete;
  SharedLink& operator=(const SharedLink&) = delete;

  // A frame to send before the request that needs it.
  struct Registration {
    wire::RegisterRegion message;
    std::vector<int> descriptors;
    std::shared_ptr<const void> keep;  // holds the descriptors open
  };
  // Of those that this connection has not told the shard of yet. They count as told from then on.
  std::vector<Registration> Register(const std::vector<SharedMappingPtr>& regions);
  // Regions that were registered and are gone since. They count as forgotten from then on.
  std::vector<uint32_t> Forget();

  // The shard refused these, or one of them: they are not tried again on this connection.
  void Refuse(const std::vector<SharedMappingPtr>& regions);
  bool Accepts(const std::vector<SharedMappingPtr>& regions) const;

  // A control word for a load, set open; empty if all are in use.
  std::optional<uint32_t> TakeSlot(uint64_t request_id);
  // REQUIRES: the shard has answered the load in full, or was never asked. Harmless for other requests.
  void FreeSlot(uint64_t request_id);
  // Ends when the shard writes nothing more for this load: at once, unless it is copying a slice right now (some
  // 100 us, or until it goes on if it was stopped in the middle of one) and has not ended itself.
  static Task<void> Revoke(std::shared_ptr<SharedLink> link, Loop* loop, uint64_t request_id);

 private:
  SharedLink(SharedMappingPtr page, OwnedFd pipe_reader, OwnedFd pipe_writer);
  ControlWord* Word(uint32_t slot) const { return reinterpret_cast<ControlWord*>(page_->base) + slot; }
  bool ShardIsGone() const;

  SharedMappingPtr page_;
  OwnedFd pipe_reader_;
  std::shared_ptr<const OwnedFd> pipe_writer_;  // until it was passed on
  absl::flat_hash_set<uint32_t> registered_, refused_;
  std::vector<uint32_t> free_slots_;
  absl::flat_hash_map<uint64_t, uint32_t> slots_;  // by request
};

}  // namespace incipit
