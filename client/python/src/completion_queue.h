// How the client's thread tells Python that calls have ended, without ever taking the GIL.
#pragma once

#include <cstdint>
#include <mutex>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "incipit/client.h"

namespace incipit::python {

struct Completion {
  uint64_t token = 0;
  std::variant<absl::StatusOr<MatchResult>, absl::StatusOr<LoadResult>, absl::StatusOr<StatusResult>> result;
};

// Any thread. The descriptor is readable while there may be completions that nobody has taken.
class CompletionQueue {
 public:
  // ResourceExhausted if there are no more descriptors.
  static absl::StatusOr<std::shared_ptr<CompletionQueue>> Create();
  ~CompletionQueue();
  CompletionQueue(const CompletionQueue&) = delete;
  CompletionQueue& operator=(const CompletionQueue&) = delete;

  void Push(Completion completion);
  // All of them, oldest first; the descriptor is no longer readable.
  std::vector<Completion> Take();
  int descriptor() const { return descriptor_; }

 private:
  explicit CompletionQueue(int descriptor) : descriptor_(descriptor) {}

  const int descriptor_;
  std::mutex mutex_;
  std::vector<Completion> completions_;
};

}  // namespace incipit::python
