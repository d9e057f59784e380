#include "cache/runtime/uring_loop.h"

#include <poll.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"

namespace incipit {
namespace {

constexpr uint64_t kMaxFixedBufferBytes = 1ull << 30;
constexpr size_t kReapBatch = 128;
constexpr int kReadyRoundsPerSubmit = 8;
constexpr int64_t kSpinAloneNs = 10'000;  // after so long, whoever else wants the core goes first

int64_t ReadClock(clockid_t clock) {
  timespec now;
  clock_gettime(clock, &now);
  return now.tv_sec * 1'000'000'000 + now.tv_nsec;
}

std::string RefusalAdvice(int error) {
  if (error == EPERM) {
    return "io_uring is switched off for this process: set sysctl kernel.io_uring_disabled=0, or in a container allow "
           "io_uring_setup, io_uring_enter and io_uring_register in the seccomp profile";
  }
  if (error == ENOMEM) return "not enough locked memory: raise it with ulimit -l (or LimitMEMLOCK= in systemd)";
  if (error == ENOSYS) return "this kernel has no io_uring: 5.19 or later is needed";
  return "see incipit doctor";
}

}  // namespace

// Completes when another thread wrote to the eventfd; re-armed by the loop.
struct UringLoop::WakeupOp final : UringOp {
  explicit WakeupOp(UringLoop* owner) : loop(owner) {}
  void OnComplete(int32_t) override {
    if (!loop->stopped()) loop->ArmWakeup();
  }
  UringLoop* loop;
};

// A poller and the ring's watch over its descriptor. Kept until that watch has ended, which may be after its removal.
struct UringLoop::PolledSource final : UringOp {
  void OnComplete(int32_t) override { watched = false; }
  LoopPoller* poller = nullptr;  // null once removed
  bool watched = false;
};

UringLoop::UringLoop(const UringLoopOptions& options) : options_(options), spin_window_(options.max_spin_ns) {}

absl::StatusOr<std::unique_ptr<UringLoop>> UringLoop::Create(const UringLoopOptions& options) {
  std::unique_ptr<UringLoop> loop(new UringLoop(options));
  io_uring_params params{};
  params.flags = IORING_SETUP_CQSIZE | IORING_SETUP_COOP_TASKRUN;
  if (options.single_thread) params.flags |= IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;
  params.cq_entries = options.entries * 4;
  int error = io_uring_queue_init_params(options.entries, &loop->ring_, &params);
  if (error == -EINVAL) {  // A kernel before 6.1: the same without its newest flags.
    params = {};
    params.flags = IORING_SETUP_CQSIZE;
    params.cq_entries = options.entries * 4;
    error = io_uring_queue_init_params(options.entries, &loop->ring_, &params);
  }
  if (error < 0) {
    return absl::FailedPreconditionError(absl::StrCat(
        "io_uring_setup of ", options.entries, " entries: ", std::strerror(-error), "; ", RefusalAdvice(-error)));
  }
  loop->ring_made_ = true;
  loop->wakeup_fd_ = eventfd(0, EFD_CLOEXEC);
  if (loop->wakeup_fd_ < 0) {
    return absl::ResourceExhaustedError(absl::StrCat("eventfd: ", std::strerror(errno), "; raise ulimit -n"));
  }
  loop->wakeup_op_ = std::make_unique<WakeupOp>(loop.get());
  loop->ArmWakeup();
  return loop;
}

UringLoop::~UringLoop() {
  if (ring_made_) io_uring_queue_exit(&ring_);
  if (wakeup_fd_ >= 0) close(wakeup_fd_);
}

int64_t UringLoop::NowNs() const { return ReadClock(CLOCK_MONOTONIC); }
int64_t UringLoop::WallNs() const { return ReadClock(CLOCK_REALTIME); }

io_uring_sqe* UringLoop::GetSqe() {
  io_uring_sqe* sqe = io_uring_get_sqe(&ring_);
  while (sqe == nullptr) {  // The queue is full: hand over what is there. Completions wait in the kernel if need be.
    io_uring_submit(&ring_);
    sqe = io_uring_get_sqe(&ring_);
  }
  return sqe;
}

void UringLoop::Cancel(UringOp* op) {
  if (op == nullptr) return;
  io_uring_sqe* sqe = GetSqe();
  io_uring_prep_cancel(sqe, op, 0);
  io_uring_sqe_set_data(sqe, nullptr);
}

void UringLoop::ArmWakeup() {
  io_uring_sqe* sqe = GetSqe();
  io_uring_prep_read(sqe, wakeup_fd_, &wakeup_value_, sizeof(wakeup_value_), 0);
  io_uring_sqe_set_data(sqe, static_cast<UringOp*>(wakeup_op_.get()));
}

void UringLoop::Reap() {
  while (true) {
    io_uring_cqe* cqes[kReapBatch];
    const unsigned count = io_uring_peek_batch_cqe(&ring_, cqes, kReapBatch);
    if (count == 0) return;
    // Copied before any is handled: handling submits, and that may need the completion queue.
    std::pair<UringOp*, int32_t> done[kReapBatch];
    for (unsigned i = 0; i < count; ++i)
      done[i] = {static_cast<UringOp*>(io_uring_cqe_get_data(cqes[i])), cqes[i]->res};
    io_uring_cq_advance(&ring_, count);
    for (unsigned i = 0; i < count; ++i) {
      if (done[i].first != nullptr) done[i].first->OnComplete(done[i].second);
    }
  }
}

void UringLoop::AddPoller(LoopPoller* poller) {
  auto source = std::make_unique<PolledSource>();
  source->poller = poller;
  pollers_.push_back(std::move(source));
}

void UringLoop::RemovePoller(LoopPoller* poller) {
  for (const std::unique_ptr<PolledSource>& source : pollers_) {
    if (source->poller != poller) continue;
    source->poller = nullptr;
    if (source->watched) Cancel(source.get());
  }
}

// By index: a poller may add another while it is asked.
bool UringLoop::AskPollers() {
  bool any = false;
  for (size_t i = 0; i < pollers_.size(); ++i) {
    if (pollers_[i]->poller != nullptr) any |= pollers_[i]->poller->Poll();
  }
  return any;
}

bool UringLoop::PrepareToSleep() {
  std::erase_if(pollers_, [](const auto& source) { return source->poller == nullptr && !source->watched; });
  for (const std::unique_ptr<PolledSource>& source : pollers_) {
    if (source->poller == nullptr) continue;
    if (!source->poller->PrepareToSleep()) return false;
    if (source->poller->descriptor() == LoopPoller::kNoDescriptor) continue;
    if (std::exchange(source->watched, true)) continue;
    io_uring_sqe* sqe = GetSqe();
    io_uring_prep_poll_add(sqe, source->poller->descriptor(), POLLIN);
    io_uring_sqe_set_data(sqe, static_cast<UringOp*>(source.get()));
  }
  return true;
}

// Polls for a short while instead of sleeping: a wake-up costs tens of microseconds. False: nothing came.
bool UringLoop::Spin(int64_t since_ns, int64_t until_ns) {
  for (int64_t now_ns = since_ns; now_ns < until_ns; now_ns = NowNs()) {
    io_uring_get_events(&ring_);
    if (io_uring_cq_ready(&ring_) > 0 || has_inbox_.load(std::memory_order_relaxed)) return true;
    if (!pollers_.empty() && AskPollers()) return true;
    if (now_ns - since_ns > kSpinAloneNs) sched_yield();  // perhaps to the thread that has the work
  }
  return false;
}

void UringLoop::Sleep(int64_t wait_until_ns) {
  if (wait_until_ns == kForeverNs) {
    io_uring_submit_and_wait(&ring_, 1);
    return;
  }
  io_uring_cqe* cqe = nullptr;
  const int64_t wait_ns = std::max<int64_t>(wait_until_ns - NowNs(), 0);
  __kernel_timespec timeout{wait_ns / 1'000'000'000, wait_ns % 1'000'000'000};
  io_uring_submit_and_wait_timeout(&ring_, &cqe, 1, &timeout, nullptr);
}

void UringLoop::SubmitAndWait(int64_t wait_until_ns) {
  const bool polled = !pollers_.empty() && AskPollers();
  wait_until_ns = std::min(wait_until_ns, NextTimerNs());
  if (polled || HasReady() || interrupted() || has_inbox_.load(std::memory_order_acquire) || stopped())
    wait_until_ns = 0;
  if (wait_until_ns == 0) {
    io_uring_submit_and_get_events(&ring_);
    return;
  }
  if (io_uring_sq_ready(&ring_) > 0) io_uring_submit_and_get_events(&ring_);
  if (io_uring_cq_ready(&ring_) > 0) return;
  const int64_t since_ns = NowNs();
  const int64_t spin_until_ns = std::min(wait_until_ns, since_ns + spin_window_.ns());
  if (!Spin(since_ns, spin_until_ns) && (pollers_.empty() || PrepareToSleep())) Sleep(wait_until_ns);
  spin_window_.OnWaited(NowNs() - since_ns);
}

void UringLoop::RunOnce(int64_t wait_until_ns) {
  ++rounds_;
  for (int i = 0; i < kReadyRoundsPerSubmit && HasReady(); ++i) RunReady();
  FireTimers(NowNs());
  SubmitAndWait(wait_until_ns);
  Reap();
  if (has_inbox_.load(std::memory_order_acquire)) DrainInbox();
  TakeInterrupt();
}

void UringLoop::Run() {
  while (!stopped()) RunOnce();
}

void UringLoop::Stop() {
  stop_.store(true, std::memory_order_release);
  PostFromAnyThread([] {});
}

void UringLoop::DrainInbox() {
  std::vector<std::function<void()>> functions;
  {
    std::lock_guard<std::mutex> lock(inbox_mutex_);
    functions.swap(inbox_);
    has_inbox_.store(false, std::memory_order_release);
  }
  for (auto& function : functions) function();
}

void UringLoop::PostFromAnyThread(std::function<void()> function) {
  {
    std::lock_guard<std::mutex> lock(inbox_mutex_);
    inbox_.push_back(std::move(function));
    has_inbox_.store(true, std::memory_order_release);
  }
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = write(wakeup_fd_, &one, sizeof(one));
}

absl::Status UringLoop::RegisterBuffers(const std::vector<iovec>& buffers) {
  std::vector<iovec> pieces;
  for (const iovec& buffer : buffers) {
    for (uint64_t at = 0; at < buffer.iov_len; at += kMaxFixedBufferBytes) {
      pieces.push_back(
          {static_cast<uint8_t*>(buffer.iov_base) + at, std::min(kMaxFixedBufferBytes, buffer.iov_len - at)});
    }
  }
  const int error = io_uring_register_buffers(&ring_, pieces.data(), pieces.size());
  if (error < 0) {
    return absl::UnavailableError(absl::StrCat("io_uring cannot register ", pieces.size(),
                                               " buffers: ", std::strerror(-error),
                                               error == -ENOMEM ? "; raise ulimit -l (memlock)" : ""));
  }
  fixed_buffers_ = std::move(pieces);
  return absl::OkStatus();
}

int UringLoop::FixedBufferIndex(const void* address, uint64_t bytes) const {
  const auto* start = static_cast<const uint8_t*>(address);
  for (size_t i = 0; i < fixed_buffers_.size(); ++i) {
    const auto* base = static_cast<const uint8_t*>(fixed_buffers_[i].iov_base);
    if (start >= base && start + bytes <= base + fixed_buffers_[i].iov_len) return static_cast<int>(i);
  }
  return -1;
}

}  // namespace incipit
