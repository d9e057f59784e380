// The inside of Client: a loop on io_uring, driven by a thread of its own or by the callers, with ClientCore on it.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "cache/base/check.h"
#include "cache/runtime/uring_loop.h"
#include "client/src/codec/coding_threads.h"
#include "client/src/core/client_core.h"
#include "client/src/handover.h"
#include "transport/lane_connector.h"

namespace incipit {

// Threads: as Client. Leases hold it weakly; after Shutdown() it is inert.
class Client::Impl : public std::enable_shared_from_this<Client::Impl> {
 public:
  // FailedPrecondition if the kernel refuses io_uring. REQUIRES: options are checked.
  static absl::StatusOr<std::shared_ptr<Impl>> Create(ClientOptions options);
  ~Impl();

  // Ends every call, then the loop and its thread. REQUIRES: not inside a callback, no blocking call in progress.
  void Shutdown();

  // Runs `start(core)`, a Task<R>, to its end and gives its value.
  template <typename R, typename Start>
  R Block(Start start);
  template <typename T, typename Request>
  absl::StatusOr<T> Call(Task<absl::StatusOr<T>> (ClientCore::*method)(Request), Request* request) {
    return Block<absl::StatusOr<T>>([&](ClientCore* core) { return (core->*method)(std::move(*request)); });
  }
  template <typename T, typename Request>
  void CallAsync(Task<absl::StatusOr<T>> (ClientCore::*method)(Request), Request request, Callback<T> done);
  // Runs `function(core)` on the loop's thread and waits for it.
  template <typename Function>
  void OnLoop(Function function);

  void Poll(uint32_t wait_us);
  void Release(std::vector<LeaseGrant> grants);
  void Renew(std::vector<LeaseGrant> grants, uint32_t claim_ms);
  uint64_t NewStamp();
  const ClientOptions& options() const { return core_->options(); }

 private:
  Impl() = default;
  bool threaded() const { return thread_.joinable(); }
  template <typename T>
  Task<void> Answer(Task<absl::StatusOr<T>> task, Callback<T> done);
  template <typename R>
  static Task<void> Hand(Task<R> task, std::optional<R>* out, std::shared_ptr<Handover> handover);
  Task<void> StopCore(std::shared_ptr<Handover> stopped);

  // Marks the loop as driven by a caller (kCaller); a second driver is a caller's mistake.
  class Driving {
   public:
    explicit Driving(bool* flag) : flag_(flag) {
      INCIPIT_CHECK(!*flag_, "a blocking call or Poll() inside a callback, or on two threads at once");
      *flag_ = true;
    }
    ~Driving() { *flag_ = false; }
    Driving(const Driving&) = delete;
    Driving& operator=(const Driving&) = delete;

   private:
    bool* flag_;
  };

  std::unique_ptr<UringLoop> loop_;
  std::unique_ptr<Random> random_;
  std::unique_ptr<Connector> connector_;
  std::unique_ptr<CodingThreads> coding_threads_;
  std::unique_ptr<ClientCore> core_;
  std::unique_ptr<TaskScope> scope_;
  std::thread thread_;
  std::atomic<uint64_t> last_stamp_ns_{0};
  std::atomic<bool> shut_down_{false};
  bool driving_ = false;
  bool starting_async_ = false;  // a call that ends at once must not run its callback inside ...Async()
};

template <typename R>
Task<void> Client::Impl::Hand(Task<R> task, std::optional<R>* out, std::shared_ptr<Handover> handover) {
  out->emplace(co_await task);
  handover->Signal();
}

template <typename R, typename Start>
R Client::Impl::Block(Start start) {
  if (!threaded()) {
    Driving driving(&driving_);
    // What came in since the last call first: a connection that has ended must not be tried.
    loop_->RunOnce(0);
    return loop_->RunTask(start(core_.get()));
  }
  INCIPIT_CHECK(std::this_thread::get_id() != thread_.get_id(), "a blocking call inside a callback");
  std::optional<R> result;
  auto handover = std::make_shared<Handover>();
  loop_->PostFromAnyThread([&] { scope_->Spawn(Hand<R>(start(core_.get()), &result, handover)); });
  handover->Wait(*loop_);
  return *std::move(result);
}

template <typename T>
Task<void> Client::Impl::Answer(Task<absl::StatusOr<T>> task, Callback<T> done) {
  absl::StatusOr<T> result = co_await task;
  if (starting_async_) co_await SleepUntil(loop_.get(), 0);
  done(std::move(result));
  loop_->Interrupt();  // Whoever drives the loop may be waiting for just this.
}

template <typename T, typename Request>
void Client::Impl::CallAsync(Task<absl::StatusOr<T>> (ClientCore::*method)(Request), Request request,
                             Callback<T> done) {
  if (!threaded()) {
    starting_async_ = true;
    scope_->Spawn(Answer<T>((core_.get()->*method)(std::move(request)), std::move(done)));
    starting_async_ = false;
    return;
  }
  loop_->PostFromAnyThread([this, method, request = std::move(request), done = std::move(done)]() mutable {
    scope_->Spawn(Answer<T>((core_.get()->*method)(std::move(request)), std::move(done)));
  });
}

template <typename Function>
void Client::Impl::OnLoop(Function function) {
  if (!threaded() || std::this_thread::get_id() == thread_.get_id()) return function(core_.get());
  auto handover = std::make_shared<Handover>();
  loop_->PostFromAnyThread([&function, this, handover] {
    function(core_.get());
    handover->Signal();
  });
  handover->Wait(*loop_);
}

}  // namespace incipit
