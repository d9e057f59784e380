// One shard's thread: makes the loop, disk and shard on it, runs them, and takes them down in order.
#pragma once

#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "cache/node/acceptor.h"
#include "cache/runtime/uring_disk.h"
#include "cache/runtime/uring_loop.h"
#include "cache/seams/random.h"
#include "cache/shard/shard.h"
#include "transport/tcp/tcp_endpoint.h"
#include "transport/ucx/ucx_endpoint.h"

namespace incipit {

struct ShardThreadOptions {
  ShardOptions shard;
  bool has_disk = false;
  UringDiskOptions disk;
  std::string listen;       // this thread accepts for the whole node; empty = it does not
  std::string listen_unix;  // the same on the unix lane
  uint32_t unix_mode = 0600;
  std::string listen_ucx;  // this shard's own address on the ucx lane; empty = no such lane
  UcxSettings ucx;
  uint16_t shard_count = 1;
  TenantTableRef tenants;  // null: nobody is asked for credentials
};

class ShardThread {
 public:
  // Hands a connection (its descriptor) to the thread of another shard.
  using HandOver =
      std::function<void(uint16_t shard, int fd, std::string peer, wire::Hello, uint64_t request_id, SessionPass)>;

  ShardThread(ShardThreadOptions options, HandOver hand_over);
  ~ShardThread();  // REQUIRES: never started, or joined

  // Starts the thread and waits until it serves, or gives the reason why it cannot.
  absl::Status Start();
  // Any thread: asks it to shut down within `timeout_ms`; Join waits for it.
  void RequestStop(int64_t timeout_ms);
  absl::Status Join();

  // Any thread.
  void TakeConnection(int fd, std::string peer, wire::Hello hello, uint64_t request_id, SessionPass pass);
  // Who may use this shard from now on; and, on the one that accepts, who may connect.
  void SetTenants(TenantTableRef tenants);
  // Runs `work` on this thread soon; not at all if it does not run any more.
  void Post(std::function<void(Shard*, UringLoop*)> work);
  // The cluster's map, for clients that ask for it.
  void SetClusterMap(PublishedMapRef map);
  // Ready once the thread has answered, or at once and empty if it does not run. Never broken.
  std::future<std::optional<ShardReport>> RequestReport();
  const TcpAddress& address() const { return address_; }
  const TcpAddress& ucx_address() const { return ucx_address_; }

 private:
  void ThreadMain(std::promise<absl::Status>* started);
  Task<absl::Status> Open();
  Task<absl::Status> ShutDown();
  void DropAll();
  absl::Status RegisterMemory();
  absl::Status Listen();
  absl::Status ListenUcx();
  void AcceptFrom(std::unique_ptr<Listener> listener);
  ShardReport Report() const;
  void Route(uint16_t shard, std::unique_ptr<FrameChannel> channel, const wire::Hello& hello, uint64_t request_id,
             SessionPass pass);

  ShardThreadOptions options_;
  HandOver hand_over_;
  std::thread thread_;
  std::unique_ptr<UringLoop> loop_;
  std::unique_ptr<Random> random_;
  std::unique_ptr<UringDisk> disk_;
  std::unique_ptr<Shard> shard_;
  std::unique_ptr<UcxWorker> ucx_worker_;
  std::unique_ptr<Authenticator> authenticator_;  // of a thread that accepts
  std::vector<std::unique_ptr<Listener>> listeners_;
  std::vector<std::unique_ptr<Acceptor>> acceptors_;  // one for each
  std::unique_ptr<TaskScope> acceptor_scope_;
  TcpAddress address_, ucx_address_;
  std::mutex running_mutex_;  // guards the hand-over of work to a loop that may be ending
  bool running_ = false;
  bool stop_requested_ = false;
  int64_t stop_deadline_ns_ = 0;
  absl::Status result_;
};

}  // namespace incipit
