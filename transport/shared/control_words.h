// One word of shared memory per load, by which a client takes back the memory that it offered: after RevokeCopies()
// said so, the shard writes nothing more, even if it was stopped for a while and goes on later. docs/wire_format.md,
// "Shared regions".
//
//   shard:  BeginCopy, copy at most a slice, EndCopy; again. Never waits for the word.
//   client: sets it open before it asks; RevokeCopies when it gives up; then, if a slice is just being copied, waits
//           for CopiesSettled (some 100 us) or for the end of the pipe (the shard is gone).
//
// The client may write anything there at any time and harms only itself: the shard compares and never believes more.
#pragma once

#include <atomic>
#include <cstdint>

namespace incipit {

using ControlWord = std::atomic<uint32_t>;
static_assert(sizeof(ControlWord) == 4 && ControlWord::is_always_lock_free);
inline constexpr uint32_t kControlWords = 1024;
inline constexpr uint64_t kControlBytes = kControlWords * sizeof(ControlWord);

enum CopyState : uint32_t {
  kCopyOpen = 0,     // the shard may begin a slice
  kCopying = 1,      // it is copying one
  kCopyRevoked = 2,  // it must not begin another
  kCopySettled = 3,  // it has seen that, and copies nothing
};

// Shard. False: revoked, or not set open.
inline bool BeginCopy(ControlWord* word) {
  uint32_t expected = kCopyOpen;
  return word->compare_exchange_strong(expected, kCopying, std::memory_order_acq_rel);
}
inline void EndCopy(ControlWord* word) {
  uint32_t expected = kCopying;
  if (!word->compare_exchange_strong(expected, kCopyOpen, std::memory_order_acq_rel)) {
    word->store(kCopySettled, std::memory_order_release);
  }
}

// Client.
inline void OpenForCopies(ControlWord* word) { word->store(kCopyOpen, std::memory_order_release); }
// True: nothing is being copied any more. False: a slice is; ask CopiesSettled.
inline bool RevokeCopies(ControlWord* word) {
  return word->exchange(kCopyRevoked, std::memory_order_acq_rel) != kCopying;
}
inline bool CopiesSettled(const ControlWord* word) { return word->load(std::memory_order_acquire) == kCopySettled; }

}  // namespace incipit
