#include "client/python/src/completion_queue.h"

#include <fmt/format.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace incipit::python {

absl::StatusOr<std::shared_ptr<CompletionQueue>> CompletionQueue::Create() {
  const int descriptor = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (descriptor < 0) return absl::ResourceExhaustedError(fmt::format("eventfd: {}", std::strerror(errno)));
  return std::shared_ptr<CompletionQueue>(new CompletionQueue(descriptor));
}

CompletionQueue::~CompletionQueue() { close(descriptor_); }

void CompletionQueue::Push(Completion completion) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    completions_.push_back(std::move(completion));
    if (completions_.size() > 1) return;  // The descriptor was made readable for the first of them.
  }
  eventfd_write(descriptor_, 1);
}

std::vector<Completion> CompletionQueue::Take() {
  // Before the queue is emptied: what is pushed in between makes it readable again, for nothing at worst.
  eventfd_t ignored = 0;
  eventfd_read(descriptor_, &ignored);
  const std::lock_guard<std::mutex> lock(mutex_);
  return std::exchange(completions_, {});
}

}  // namespace incipit::python
