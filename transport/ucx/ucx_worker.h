// UCX on one loop: a context with active messages only, its worker, and the links that live on it.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "cache/base/bytes.h"
#include "cache/runtime/uring_loop.h"
#include "cache/seams/random.h"
#include "transport/tcp/tcp_address.h"
#include "transport/ucx/ucx_address.h"
#include "transport/ucx/ucx_api.h"
#include "transport/ucx/ucx_message.h"

namespace incipit {

class UcxLink;

struct UcxWorkerOptions {
  UcxSettings settings;
  // A client offers its memory, and a server moves the bytes: see UcxInbox. A node that asks another is a client that
  // offers none: its memory holds other blocks too.
  bool offer_memory = false;
  uint32_t max_links = 1280;    // endpoints, open and not yet open; more are turned away
  uint32_t max_unopened = 256;  // of those, accepted and not yet named by their token
  int64_t open_timeout_ns = 5'000'000'000;
};

// A client's context never accepts and a server's never connects. No remote memory access is ever asked of UCX, so that
// it does not carry out such requests of a peer either. One thread: the loop's. The loop must outlive it.
class UcxWorker : private LoopPoller, private Timer {
 public:
  // Unavailable: no UCX on this machine, or no such device or transport; the message names them.
  static absl::StatusOr<std::unique_ptr<UcxWorker>> Create(UringLoop* loop, UcxWorkerOptions options);
  // Closes what is left and waits for UCX to let go. REQUIRES: every stream is gone.
  ~UcxWorker();

  // Registers memory that will be sent from, once, rather than at each send; unregistered when the worker goes.
  absl::Status RegisterMemory(MutableBytes memory);

  // A new link to the server at `address`, which names itself with a token of its own; not opened yet.
  absl::StatusOr<std::shared_ptr<UcxLink>> Connect(const TcpAddress& address);
  // Listens; port 0 takes a free one. `changed` is set whenever TakeAccepted may have something. One listener at most.
  absl::StatusOr<TcpAddress> Listen(const TcpAddress& address, Event* changed);
  // The next link that was opened by a client; null: none now.
  std::shared_ptr<UcxLink> TakeAccepted();
  void StopListening();

  // For links.
  UringLoop* loop() const { return loop_; }
  const UcxApi* api() const { return api_; }
  ucp_worker_h handle() const { return worker_; }
  // Whether bytes of large messages reach memory by this side's processor in any case, so that it may as well checksum
  // them on the way: where no adapter writes. Then, the type of such a receive (UcxInbox::kPlacing).
  bool places() const { return placing_type_ != 0; }
  ucp_datatype_t placing_type() const { return placing_type_; }
  void ReleaseData(void* announced);
  // Looks at this link again once UCX's callbacks are over.
  void AfterProgress(UcxLink* link);
  // Closes its endpoint by force once UCX's callbacks are over, and forgets the link.
  void CloseEndpoint(std::shared_ptr<UcxLink> link);

  size_t links() const { return by_endpoint_.size(); }
  uint64_t refused() const { return refused_; }      // connections over a limit
  uint64_t strangers() const { return strangers_; }  // messages with a token that no link has

 private:
  struct Closing;
  UcxWorker(UringLoop* loop, UcxWorkerOptions options, const UcxApi* api);
  absl::Status MakeContext();
  absl::Status MakeWorker();
  bool Poll() override;
  bool PrepareToSleep() override;
  int descriptor() const override { return event_fd_; }

  void OnTimer() override;

  bool Settle();
  void AcceptWaiting();
  std::string NameOf(ucp_conn_request_h request) const;
  absl::Status MakeEndpoint(ucp_ep_params_t* params, UcxLink* link);
  static void OnConnectionRequest(ucp_conn_request_h request, void* worker);
  static void OnEndpointError(void* link, ucp_ep_h endpoint, ucs_status_t status);
  static ucs_status_t OnActiveMessage(void* worker, const void* header, size_t header_bytes, void* data, size_t bytes,
                                      const ucp_am_recv_param_t* param);
  ucs_status_t Dispatch(ByteView header, void* data, size_t bytes, const ucp_am_recv_param_t& param);
  void Open(const UcxMessage& message, ucp_ep_h endpoint);
  static void OnClosed(void* request, ucs_status_t status, void* closing);

  UringLoop* loop_;
  UcxWorkerOptions options_;
  const UcxApi* api_;
  std::unique_ptr<Random> random_;
  ucp_context_h context_ = nullptr;
  ucp_worker_h worker_ = nullptr;
  ucp_listener_h listener_ = nullptr;
  ucp_datatype_t placing_type_ = 0;
  int event_fd_ = -1;
  std::vector<ucp_mem_h> registered_;

  absl::flat_hash_map<UcxToken, std::shared_ptr<UcxLink>> by_token_;
  absl::flat_hash_map<ucp_ep_h, std::shared_ptr<UcxLink>> by_endpoint_;  // all whose endpoint is not being closed
  size_t unopened_ = 0;                                                  // accepted, without a token
  std::deque<ucp_conn_request_h> requests_;
  std::deque<std::shared_ptr<UcxLink>> accepted_;
  Event* accepted_changed_ = nullptr;
  std::vector<std::shared_ptr<UcxLink>> to_settle_;
  std::vector<std::shared_ptr<UcxLink>> to_close_;
  size_t closing_ = 0;
  bool timer_running_ = false;
  uint64_t refused_ = 0, strangers_ = 0;
};

}  // namespace incipit
