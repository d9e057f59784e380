#include "cache/node/shard_thread.h"

#include <pthread.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "cache/base/status_macros.h"
#include "cache/shard/session.h"
#include "spdlog/spdlog.h"
#include "transport/tcp/tcp_endpoint.h"
#include "transport/unix/unix_endpoint.h"
#include "transport/unix/unix_stream.h"

namespace incipit {

ShardThread::ShardThread(ShardThreadOptions options, HandOver hand_over)
    : options_(std::move(options)), hand_over_(std::move(hand_over)) {}

ShardThread::~ShardThread() = default;

absl::Status ShardThread::Start() {
  std::promise<absl::Status> started;
  std::future<absl::Status> result = started.get_future();
  thread_ = std::thread([this, &started] { ThreadMain(&started); });
  absl::Status status = result.get();
  if (!status.ok()) thread_.join();
  return status;
}

Task<absl::Status> ShardThread::Open() {
  if (options_.has_disk) {
    absl::StatusOr<std::unique_ptr<UringDisk>> disk = UringDisk::Open(loop_.get(), options_.disk);
    if (!disk.ok()) co_return disk.status();
    disk_ = *std::move(disk);
  }
  Task<absl::StatusOr<std::unique_ptr<Shard>>> opening =
      Shard::Open(loop_.get(), random_.get(), disk_.get(), options_.shard);
  absl::StatusOr<std::unique_ptr<Shard>> shard = co_await opening;
  if (!shard.ok()) co_return shard.status();
  shard_ = *std::move(shard);
  if (options_.tenants != nullptr) shard_->SetTenants(options_.tenants);
  co_return absl::OkStatus();
}

// Fixed buffers save the kernel from mapping pages at each transfer; without them everything works, with more CPU.
absl::Status ShardThread::RegisterMemory() {
  if (shard_->store()->nvme() == nullptr) return absl::OkStatus();
  return loop_->RegisterBuffers(shard_->store()->nvme()->IoMemory());
}

void ShardThread::ThreadMain(std::promise<absl::Status>* started) {
  pthread_setname_np(pthread_self(), absl::StrCat("shard-", options_.shard.identity.shard).substr(0, 15).c_str());
  absl::StatusOr<std::unique_ptr<UringLoop>> loop = UringLoop::Create({});
  if (!loop.ok()) return started->set_value(loop.status());
  loop_ = *std::move(loop);
  random_ = MakeSystemRandom();
  const absl::Status opened = loop_->RunTask(Open());
  if (!opened.ok()) return started->set_value(opened);
  if (const absl::Status status = RegisterMemory(); !status.ok()) {
    spdlog::warn("event=buffers_not_registered shard={} cause=\"{}\"", options_.shard.identity.shard,
                 status.ToString());
  }
  acceptor_scope_ = std::make_unique<TaskScope>(loop_.get());
  if (const absl::Status status = Listen(); !status.ok()) {
    result_ = loop_->RunTask(ShutDown());
    DropAll();
    return started->set_value(status);
  }
  shard_->StartRecovery();
  {
    std::lock_guard<std::mutex> lock(running_mutex_);
    running_ = true;
  }
  started->set_value(absl::OkStatus());
  loop_->Run();
  {
    std::lock_guard<std::mutex> lock(running_mutex_);
    running_ = false;
  }
  loop_->RunOnce(0);  // What was handed over before running_ fell.
  result_ = loop_->RunTask(ShutDown());
  if (absl::IsDeadlineExceeded(result_)) {
    // The device hangs with operations outstanding on our memory: nothing may be freed before the process ends.
    [[maybe_unused]] Shard* leaked = shard_.release();
    [[maybe_unused]] UringDisk* leaked_disk = disk_.release();
    [[maybe_unused]] UcxWorker* leaked_worker = ucx_worker_.release();
    [[maybe_unused]] UringLoop* leaked_loop = loop_.release();
    return;
  }
  DropAll();
}

void ShardThread::DropAll() {
  acceptors_.clear();
  listeners_.clear();
  acceptor_scope_.reset();
  ucx_worker_.reset();  // before the memory that it has registered
  shard_.reset();
  disk_.reset();
  loop_.reset();
}

absl::Status ShardThread::Listen() {
  if (options_.listen.empty() && options_.listen_unix.empty() && options_.listen_ucx.empty()) return absl::OkStatus();
  authenticator_ = std::make_unique<Authenticator>(random_.get(), options_.shard.audit, options_.tenants);
  if (!options_.listen_ucx.empty()) RETURN_IF_ERROR(ListenUcx());
  if (!options_.listen.empty()) {
    ASSIGN_OR_RETURN(const TcpAddress wanted, ResolveTcpAddress(options_.listen));
    ASSIGN_OR_RETURN(std::unique_ptr<TcpListener> tcp, TcpListener::Create(loop_.get(), wanted));
    address_ = tcp->address();
    AcceptFrom(std::move(tcp));
  }
  if (!options_.listen_unix.empty()) {
    ASSIGN_OR_RETURN(const UnixAddress wanted, ParseUnixAddress(options_.listen_unix));
    ASSIGN_OR_RETURN(std::unique_ptr<UnixListener> local,
                     UnixListener::Create(loop_.get(), wanted, options_.unix_mode));
    AcceptFrom(std::move(local));
  }
  return absl::OkStatus();
}

absl::Status ShardThread::ListenUcx() {
  ASSIGN_OR_RETURN(const TcpAddress wanted, ResolveTcpAddress(options_.listen_ucx));
  ASSIGN_OR_RETURN(ucx_worker_, UcxWorker::Create(loop_.get(), {.settings = options_.ucx}));
  RETURN_IF_ERROR(ucx_worker_->RegisterMemory(shard_->store()->arena()->memory()));
  if (shard_->store()->nvme() != nullptr) {
    for (const iovec& memory : shard_->store()->nvme()->IoMemory()) {
      RETURN_IF_ERROR(ucx_worker_->RegisterMemory({static_cast<uint8_t*>(memory.iov_base), memory.iov_len}));
    }
  }
  ASSIGN_OR_RETURN(std::unique_ptr<UcxListener> listener, UcxListener::Create(ucx_worker_.get(), wanted));
  ucx_address_ = listener->address();
  AcceptFrom(std::move(listener));
  return absl::OkStatus();
}

void ShardThread::AcceptFrom(std::unique_ptr<Listener> listener) {
  AcceptorOptions acceptor_options;
  acceptor_options.shard_count = options_.shard_count;
  acceptor_options.authenticator = authenticator_.get();
  acceptors_.push_back(std::make_unique<Acceptor>(
      loop_.get(), listener.get(), acceptor_options,
      [this](uint16_t shard, std::unique_ptr<FrameChannel> channel, wire::Hello hello, uint64_t request_id,
             SessionPass pass) { Route(shard, std::move(channel), hello, request_id, std::move(pass)); }));
  listeners_.push_back(std::move(listener));
  acceptor_scope_->Spawn(acceptors_.back()->Run());
}

Task<absl::Status> ShardThread::ShutDown() {
  for (const auto& acceptor : acceptors_) acceptor->Stop();
  if (acceptor_scope_ != nullptr) co_await acceptor_scope_->Join();
  Task<absl::Status> stopping = shard_->Shutdown(stop_deadline_ns_);
  co_return co_await stopping;
}

void ShardThread::RequestStop(int64_t timeout_ms) {
  std::lock_guard<std::mutex> lock(running_mutex_);
  if (!running_ || stop_requested_) return;
  stop_requested_ = true;
  stop_deadline_ns_ = loop_->NowNs() + timeout_ms * 1'000'000;
  loop_->Stop();
}

absl::Status ShardThread::Join() {
  if (thread_.joinable()) thread_.join();
  return result_;
}

void ShardThread::Route(uint16_t shard, std::unique_ptr<FrameChannel> channel, const wire::Hello& hello,
                        uint64_t request_id, SessionPass pass) {
  if (shard == options_.shard.identity.shard) {
    return shard_->Adopt(std::move(channel), hello, request_id, std::move(pass));
  }
  const std::string peer = channel->PeerName();
  const int fd = channel->stream()->ReleaseFd();
  if (fd < 0) {  // Connections of UCX cannot move between threads, so each shard has an address of its own.
    const absl::Status wrong = absl::InvalidArgumentError(
        absl::StrCat("shard ", shard, " does not listen here: on the ucx lane shard k listens on the first port + k"));
    acceptor_scope_->Spawn(Session::Refuse(std::move(channel), request_id, wrong));
    return;
  }
  hand_over_(shard, fd, peer, hello, request_id, std::move(pass));
}

void ShardThread::TakeConnection(int fd, std::string peer, wire::Hello hello, uint64_t request_id, SessionPass pass) {
  std::lock_guard<std::mutex> lock(running_mutex_);
  if (!running_) {
    close(fd);
    return;
  }
  loop_->PostFromAnyThread([this, fd, peer, hello, request_id, pass = std::move(pass)] {
    shard_->Adopt(std::make_unique<FrameChannel>(MakeSocketStream(loop_.get(), fd, peer)), hello, request_id, pass);
  });
}

void ShardThread::SetTenants(TenantTableRef tenants) {
  std::lock_guard<std::mutex> lock(running_mutex_);
  if (!running_) return;
  loop_->PostFromAnyThread([this, tenants = std::move(tenants)] {
    if (authenticator_ != nullptr) authenticator_->SetTenants(tenants);
    shard_->SetTenants(tenants);
  });
}

void ShardThread::Post(std::function<void(Shard*, UringLoop*)> work) {
  std::lock_guard<std::mutex> lock(running_mutex_);
  if (!running_) return;
  loop_->PostFromAnyThread([this, work = std::move(work)] { work(shard_.get(), loop_.get()); });
}

void ShardThread::SetClusterMap(PublishedMapRef map) {
  std::lock_guard<std::mutex> lock(running_mutex_);
  if (!running_) return;
  loop_->PostFromAnyThread([this, map = std::move(map)] { shard_->SetClusterMap(map); });
}

ShardReport ShardThread::Report() const {
  ShardReport report = shard_->Report();
  if (authenticator_ == nullptr) return report;
  report.requests.auth_failures += authenticator_->counters().failures;
  report.requests.auth_held_back += authenticator_->counters().held_back;
  return report;
}

std::future<std::optional<ShardReport>> ShardThread::RequestReport() {
  // Shared with the shard's thread: whoever asks may stop waiting, and then only that thread still uses it.
  auto promise = std::make_shared<std::promise<std::optional<ShardReport>>>();
  std::future<std::optional<ShardReport>> report = promise->get_future();
  std::lock_guard<std::mutex> lock(running_mutex_);
  if (running_) {
    loop_->PostFromAnyThread([this, promise] { promise->set_value(Report()); });
  } else {
    promise->set_value(std::nullopt);
  }
  return report;
}

}  // namespace incipit
