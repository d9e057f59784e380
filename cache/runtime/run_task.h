// Drives a loop until one task has ended: the bridge from ordinary code (main, tests, blocking calls) to tasks.
#pragma once

#include <cstdlib>
#include <optional>
#include <type_traits>
#include <utility>

#include "cache/runtime/sync.h"
#include "cache/runtime/task.h"

namespace incipit {

namespace run_task_internal {
template <typename T>
Task<void> Capture(Loop* loop, Task<T> task, std::optional<T>* out) {
  out->emplace(co_await task);
  loop->Interrupt();
}
inline Task<void> CaptureVoid(Loop* loop, Task<void> task, bool* done) {
  co_await task;
  *done = true;
  loop->Interrupt();
}
}  // namespace run_task_internal

// `step` runs one round of `loop`; false from it means that nothing is left to do, and then the task can never end:
// the process is aborted. REQUIRES: called outside the loop's own callbacks.
template <typename T, typename Step>
T DriveTask(Loop* loop, Task<T> task, Step step) {
  TaskScope scope(loop);
  if constexpr (std::is_void_v<T>) {
    bool done = false;
    scope.Spawn(run_task_internal::CaptureVoid(loop, std::move(task), &done));
    while (!done || scope.running() > 0) {
      if (!step()) std::abort();
    }
  } else {
    std::optional<T> out;
    scope.Spawn(run_task_internal::Capture(loop, std::move(task), &out));
    while (!out.has_value() || scope.running() > 0) {
      if (!step()) std::abort();
    }
    return std::move(*out);
  }
}

}  // namespace incipit
