// The real Loop: one io_uring, owned and driven by one thread. Everything a shard or a client waits for comes through
// it, so an idle thread sleeps in a single system call, and a busy one makes one system call per round.
#pragma once

#include <atomic>
#include <coroutine>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include <liburing.h>
#include <sys/uio.h>

#include "absl/status/statusor.h"
#include "cache/runtime/loop.h"
#include "cache/runtime/loop_poller.h"
#include "cache/runtime/run_task.h"
#include "cache/runtime/spin_window.h"

namespace incipit {

struct UringLoopOptions {
  uint32_t entries = 1024;        // submission queue; the completion queue is four times as long
  bool single_thread = true;      // one thread creates and drives it (cheapest); false: any one thread at a time
  int64_t max_spin_ns = 200'000;  // how long to poll before sleeping at most, where that proves worth it; 0 = never
};

// An operation in flight. Lives in the frame of the coroutine that awaits it.
class UringOp {
 public:
  virtual void OnComplete(int32_t result) = 0;

 protected:
  ~UringOp() = default;
};

class UringLoop : public Loop {
 public:
  // FailedPrecondition where the kernel refuses io_uring; the message names the setting to change.
  static absl::StatusOr<std::unique_ptr<UringLoop>> Create(const UringLoopOptions& options);
  ~UringLoop();

  int64_t NowNs() const override;
  int64_t WallNs() const override;

  // `int32_t result = co_await loop->Submit([&](io_uring_sqe* sqe) { io_uring_prep_...(sqe, ...); })`: the result is
  // that of the completion, a negative errno on failure. What the operation points to must live until then.
  template <typename Prepare>
  auto Submit(Prepare prepare);
  // As above, and *handle names the operation while it is in flight (nullptr otherwise), for Cancel.
  template <typename Prepare>
  auto Submit(Prepare prepare, UringOp** handle);
  // Asks the kernel to end an operation; it completes with -ECANCELED, or with what it had achieved.
  void Cancel(UringOp* op);

  // One round: resume what is ready, submit, wait for completions until `wait_until_ns` at the latest, handle them.
  void RunOnce(int64_t wait_until_ns = kForeverNs);
  // Rounds until Stop(). Stop() may be called from any thread.
  void Run();
  void Stop();
  bool stopped() const { return stop_.load(std::memory_order_acquire); }
  // Drives the loop until `task` ends.
  template <typename T>
  T RunTask(Task<T> task) {
    return DriveTask(this, std::move(task), [this] {
      RunOnce();
      return true;
    });
  }

  // Any thread: runs `function` on the loop's thread soon. Takes a lock, so not for the data path.
  void PostFromAnyThread(std::function<void()> function);

  // Registers buffers for fixed reads and writes, each at most 1 GiB. Unavailable if the kernel refuses (memlock).
  absl::Status RegisterBuffers(const std::vector<iovec>& buffers);
  // Index of the registered buffer that holds all of [address, address + bytes), or -1.
  int FixedBufferIndex(const void* address, uint64_t bytes) const;

  // The loop asks `poller` for work from now on, until it is removed. Costs nothing where there is none.
  void AddPoller(LoopPoller* poller);
  void RemovePoller(LoopPoller* poller);

  uint64_t rounds() const { return rounds_; }

 private:
  explicit UringLoop(const UringLoopOptions& options);
  io_uring_sqe* GetSqe();
  void Reap();
  void SubmitAndWait(int64_t wait_until_ns);
  bool Spin(int64_t since_ns, int64_t until_ns);
  void Sleep(int64_t wait_until_ns);
  void ArmWakeup();
  void DrainInbox();
  bool AskPollers();
  bool PrepareToSleep();

  struct WakeupOp;
  struct PolledSource;
  UringLoopOptions options_;
  io_uring ring_{};
  bool ring_made_ = false;
  int wakeup_fd_ = -1;
  uint64_t wakeup_value_ = 0;
  std::unique_ptr<WakeupOp> wakeup_op_;
  std::vector<std::unique_ptr<PolledSource>> pollers_;
  std::vector<iovec> fixed_buffers_;
  uint64_t rounds_ = 0;
  SpinWindow spin_window_;
  std::atomic<bool> stop_{false};
  std::atomic<bool> has_inbox_{false};
  std::mutex inbox_mutex_;
  std::vector<std::function<void()>> inbox_;
};

namespace uring_internal {
template <typename Prepare, typename GetSqe>
class SubmitAwaiter : public UringOp {
 public:
  SubmitAwaiter(GetSqe get_sqe, Prepare prepare, UringOp** handle)
      : get_sqe_(get_sqe), prepare_(std::move(prepare)), handle_(handle) {}
  bool await_ready() const { return false; }
  void await_suspend(std::coroutine_handle<> waiter) {
    waiter_ = waiter;
    if (handle_ != nullptr) *handle_ = this;
    io_uring_sqe* sqe = get_sqe_();
    prepare_(sqe);
    io_uring_sqe_set_data(sqe, static_cast<UringOp*>(this));
  }
  int32_t await_resume() const { return result_; }
  void OnComplete(int32_t result) override {
    result_ = result;
    if (handle_ != nullptr) *handle_ = nullptr;
    waiter_.resume();
  }

 private:
  GetSqe get_sqe_;
  Prepare prepare_;
  UringOp** handle_;
  std::coroutine_handle<> waiter_;
  int32_t result_ = 0;
};
}  // namespace uring_internal

template <typename Prepare>
auto UringLoop::Submit(Prepare prepare) {
  return Submit(std::move(prepare), nullptr);
}

template <typename Prepare>
auto UringLoop::Submit(Prepare prepare, UringOp** handle) {
  auto get_sqe = [this] { return GetSqe(); };
  return uring_internal::SubmitAwaiter<Prepare, decltype(get_sqe)>(get_sqe, std::move(prepare), handle);
}

}  // namespace incipit
