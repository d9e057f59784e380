// Who codes and decodes: the seam between the client, which belongs to one thread, and threads that work for it.
#pragma once

#include <functional>

#include "client/src/codec/buffer_pool.h"
#include "client/src/codec/piece_coder.h"

namespace incipit {

// How much of stores is coded at a time.
struct CodingGrain {
  uint64_t job_bytes = 1 << 20;                           // raw, by one thread
  uint64_t sending_bytes = BufferPool::kMaxSendingBytes;  // of all that are being coded or sent
};

// Called on the loop's thread.
class CodingWorkers {
 public:
  using Work = std::function<void(PieceCoder*)>;

  virtual ~CodingWorkers() = default;
  // Runs `work` once, on any thread, and afterwards `done` on the loop's thread; both perhaps inside this call. Works
  // that were started first begin first. What is in flight is bounded by those who start it.
  virtual void Start(Work work, std::function<void()> done) = 0;
  // The same, of bytes that the loop's thread has just received: they are in the cache of its processor.
  virtual void StartWarm(Work work, std::function<void()> done) { Start(std::move(work), std::move(done)); }
  virtual CodingGrain grain() const { return {}; }
};

// Works at once, on the loop's thread: where there must be no other, as in tests in virtual time.
class InlineWorkers : public CodingWorkers {
 public:
  void Start(Work work, std::function<void()> done) override {
    work(&coder_);
    done();
  }

 private:
  PieceCoder coder_;
};

}  // namespace incipit
