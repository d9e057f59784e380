#include "transport/ucx/ucx_worker.h"

#include <unistd.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "cache/base/check.h"
#include "cache/base/status_macros.h"
#include "transport/ucx/ucx_config.h"
#include "transport/ucx/ucx_link.h"
#include "transport/ucx/ucx_sockets.h"

namespace incipit {
namespace {

constexpr int kProgressRounds = 16;  // in one round of the loop, so that others on the thread get their turn
constexpr int64_t kLetGoNs = 5'000'000'000;
constexpr int64_t kSettledNs = 1'000'000'000;  // after which a new link has made its connections

absl::Status UcxError(const UcxApi* api, const std::string& what, ucs_status_t status) {
  return absl::UnavailableError(absl::StrCat(what, ": ", api->ErrorText(status)));
}

}  // namespace

// What an endpoint's handlers may still name until it is closed.
struct UcxWorker::Closing {
  UcxWorker* worker;
  std::shared_ptr<UcxLink> link;
};

UcxWorker::UcxWorker(UringLoop* loop, UcxWorkerOptions options, const UcxApi* api)
    : loop_(loop), options_(std::move(options)), api_(api), random_(MakeSystemRandom()) {}

absl::StatusOr<std::unique_ptr<UcxWorker>> UcxWorker::Create(UringLoop* loop, UcxWorkerOptions options) {
  ASSIGN_OR_RETURN(const UcxApi* api, UcxApi::Load());
  std::unique_ptr<UcxWorker> worker(new UcxWorker(loop, std::move(options), api));
  ASSIGN_OR_RETURN(worker->context_, MakeUcxContext(api, worker->options_.settings));
  RETURN_IF_ERROR(worker->MakeWorker());
  loop->AddPoller(worker.get());
  return worker;
}

absl::Status UcxWorker::MakeWorker() {
  ucp_worker_params_t params{};
  params.field_mask = UCP_WORKER_PARAM_FIELD_THREAD_MODE;
  params.thread_mode = UCS_THREAD_MODE_SERIALIZED;  // a client's loop may be driven by one thread after the other
  ucs_status_t status = api_->worker_create(context_, &params, &worker_);
  if (status != UCS_OK) return UcxError(api_, "ucp_worker_create", status);
  ucp_am_handler_param_t handler{};
  handler.field_mask = UCP_AM_HANDLER_PARAM_FIELD_ID | UCP_AM_HANDLER_PARAM_FIELD_CB | UCP_AM_HANDLER_PARAM_FIELD_ARG |
                       UCP_AM_HANDLER_PARAM_FIELD_FLAGS;
  handler.id = UcxMessage::kActiveMessageId;
  handler.flags = UCP_AM_FLAG_WHOLE_MSG;
  handler.cb = &UcxWorker::OnActiveMessage;
  handler.arg = this;
  status = api_->worker_set_am_recv_handler(worker_, &handler);
  if (status != UCS_OK) return UcxError(api_, "ucp_worker_set_am_recv_handler", status);
  if (options_.settings.UsesTcpAlone()) {
    status = api_->dt_create_generic(&UcxInbox::kPlacing, nullptr, &placing_type_);
    if (status != UCS_OK) return UcxError(api_, "ucp_dt_create_generic", status);
  }
  status = api_->worker_get_efd(worker_, &event_fd_);
  if (status != UCS_OK) return UcxError(api_, "ucp_worker_get_efd", status);
  return absl::OkStatus();
}

UcxWorker::~UcxWorker() {
  if (event_fd_ >= 0) loop_->RemovePoller(this);
  loop_->CancelTimer(this);
  if (worker_ != nullptr) {
    StopListening();
    while (!by_endpoint_.empty()) {
      const std::shared_ptr<UcxLink> link = by_endpoint_.begin()->second;
      link->Fail(absl::CancelledError("the ucx lane is shutting down"));
    }
    const int64_t until_ns = loop_->NowNs() + kLetGoNs;
    while ((closing_ > 0 || !to_close_.empty()) && loop_->NowNs() < until_ns) Poll();
    INCIPIT_CHECK(closing_ == 0, "UCX does not close its endpoints");
    to_settle_.clear();
    for (const ucp_mem_h memory : registered_) api_->mem_unmap(context_, memory);
    api_->worker_destroy(worker_);
    if (placing_type_ != 0) api_->dt_destroy(placing_type_);
  }
  if (context_ != nullptr) api_->cleanup(context_);
}

absl::Status UcxWorker::RegisterMemory(MutableBytes memory) {
  ucp_mem_map_params_t params{};
  params.field_mask = UCP_MEM_MAP_PARAM_FIELD_ADDRESS | UCP_MEM_MAP_PARAM_FIELD_LENGTH;
  params.address = memory.data();
  params.length = memory.size();
  ucp_mem_h handle = nullptr;
  const ucs_status_t status = api_->mem_map(context_, &params, &handle);
  if (status != UCS_OK) {
    return UcxError(api_, absl::StrCat("register ", memory.size(), " bytes; raise ulimit -l (memlock)"), status);
  }
  registered_.push_back(handle);
  return absl::OkStatus();
}

bool UcxWorker::Poll() {
  bool any = false;
  for (int i = 0; i < kProgressRounds && api_->worker_progress(worker_) != 0; ++i) any = true;
  return Settle() || any;
}

// What UCX's callbacks left to do: it must not be called back from within them.
bool UcxWorker::Settle() {
  if (to_settle_.empty() && to_close_.empty() && requests_.empty()) return false;
  AcceptWaiting();
  std::vector<std::shared_ptr<UcxLink>> links;
  links.swap(to_settle_);
  for (const std::shared_ptr<UcxLink>& link : links) link->inbox()->GiveMemory();
  links.clear();
  links.swap(to_close_);
  for (const std::shared_ptr<UcxLink>& link : links) {
    ucp_request_param_t param{};
    param.op_attr_mask = UCP_OP_ATTR_FIELD_FLAGS | UCP_OP_ATTR_FIELD_CALLBACK | UCP_OP_ATTR_FIELD_USER_DATA;
    param.flags = UCP_EP_CLOSE_FLAG_FORCE;
    param.cb.send = &UcxWorker::OnClosed;
    const ucp_ep_h endpoint = link->endpoint();
    link->set_endpoint(nullptr);
    if (endpoint == nullptr) continue;
    auto closing = std::make_unique<Closing>(Closing{this, link});
    param.user_data = closing.get();
    if (!UCS_PTR_IS_PTR(api_->ep_close_nbx(endpoint, &param))) continue;
    ++closing_;
    (void)closing.release();  // OnClosed takes it
  }
  return true;
}

void UcxWorker::OnClosed(void* request, ucs_status_t, void* user_data) {
  const std::unique_ptr<Closing> closing(static_cast<Closing*>(user_data));
  closing->worker->api_->request_free(request);
  --closing->worker->closing_;
}

bool UcxWorker::PrepareToSleep() {
  if (!to_settle_.empty() || !to_close_.empty() || !requests_.empty()) return false;
  return api_->worker_arm(worker_) == UCS_OK;
}

void UcxWorker::ReleaseData(void* announced) { api_->am_data_release(worker_, announced); }

void UcxWorker::AfterProgress(UcxLink* link) { to_settle_.push_back(link->shared_from_this()); }

void UcxWorker::CloseEndpoint(std::shared_ptr<UcxLink> link) {
  by_endpoint_.erase(link->endpoint());
  const auto named = by_token_.find(link->token());
  if (named != by_token_.end() && named->second == link) {
    by_token_.erase(named);
  } else if (!options_.offer_memory) {
    --unopened_;
  }
  to_close_.push_back(std::move(link));
}

absl::Status UcxWorker::MakeEndpoint(ucp_ep_params_t* params, UcxLink* link) {
  params->field_mask |= UCP_EP_PARAM_FIELD_ERR_HANDLING_MODE | UCP_EP_PARAM_FIELD_ERR_HANDLER;
  params->err_mode = UCP_ERR_HANDLING_MODE_PEER;
  params->err_handler.cb = &UcxWorker::OnEndpointError;
  params->err_handler.arg = link;  // held by by_endpoint_ until the endpoint is closed
  ucp_ep_h endpoint = nullptr;
  const ucs_status_t status = api_->ep_create(worker_, params, &endpoint);
  if (status != UCS_OK) return UcxError(api_, absl::StrCat("ucx endpoint for ", link->peer_name()), status);
  link->set_endpoint(endpoint);
  by_endpoint_[endpoint] = link->shared_from_this();
  return absl::OkStatus();
}

void UcxWorker::OnEndpointError(void* user_data, ucp_ep_h, ucs_status_t status) {
  auto* link = static_cast<UcxLink*>(user_data);
  link->Fail(absl::UnavailableError(
      absl::StrCat("link with ", link->peer_name(), ": ", link->worker()->api()->ErrorText(status))));
}

absl::StatusOr<std::shared_ptr<UcxLink>> UcxWorker::Connect(const TcpAddress& address) {
  if (by_endpoint_.size() >= options_.max_links) {
    return absl::ResourceExhaustedError(absl::StrCat("ucx: ", options_.max_links, " links already"));
  }
  auto link = std::make_shared<UcxLink>(this, absl::StrCat("ucx://", address.ToString()), options_.offer_memory);
  UcxToken token;
  random_->Fill(token);
  link->set_token(token);
  ucp_ep_params_t params{};
  params.field_mask = UCP_EP_PARAM_FIELD_FLAGS | UCP_EP_PARAM_FIELD_SOCK_ADDR;
  params.flags = UCP_EP_PARAMS_FLAGS_CLIENT_SERVER;
  params.sockaddr.addr = reinterpret_cast<const sockaddr*>(&address.storage);
  params.sockaddr.addrlen = address.bytes;
  RETURN_IF_ERROR(MakeEndpoint(&params, link.get()));
  by_token_[token] = link;
  link->outbox()->SendOpen();
  return link;
}

absl::StatusOr<TcpAddress> UcxWorker::Listen(const TcpAddress& address, Event* changed) {
  ucp_listener_params_t params{};
  params.field_mask = UCP_LISTENER_PARAM_FIELD_SOCK_ADDR | UCP_LISTENER_PARAM_FIELD_CONN_HANDLER;
  params.sockaddr.addr = reinterpret_cast<const sockaddr*>(&address.storage);
  params.sockaddr.addrlen = address.bytes;
  params.conn_handler.cb = &UcxWorker::OnConnectionRequest;
  params.conn_handler.arg = this;
  ucs_status_t status = api_->listener_create(worker_, &params, &listener_);
  if (status != UCS_OK) {
    listener_ = nullptr;
    return UcxError(api_, absl::StrCat("ucx: listen on ", address.ToString()), status);
  }
  accepted_changed_ = changed;
  ucp_listener_attr_t attributes{};
  attributes.field_mask = UCP_LISTENER_ATTR_FIELD_SOCKADDR;
  status = api_->listener_query(listener_, &attributes);
  if (status != UCS_OK) return UcxError(api_, "ucp_listener_query", status);
  TcpAddress bound = address;
  bound.storage = attributes.sockaddr;
  return bound;
}

void UcxWorker::StopListening() {
  for (const ucp_conn_request_h request : requests_) api_->listener_reject(listener_, request);
  requests_.clear();
  if (listener_ != nullptr) api_->listener_destroy(std::exchange(listener_, nullptr));
  accepted_changed_ = nullptr;
  for (const std::shared_ptr<UcxLink>& link : accepted_) link->Fail(absl::CancelledError("listener is closed"));
  accepted_.clear();
}

void UcxWorker::OnConnectionRequest(ucp_conn_request_h request, void* worker) {
  static_cast<UcxWorker*>(worker)->requests_.push_back(request);
}

// Where the connection came from, as the connection's manager says: "10.0.0.7:41210", as on the tcp lane.
std::string UcxWorker::NameOf(ucp_conn_request_h request) const {
  ucp_conn_request_attr_t attributes{};
  attributes.field_mask = UCP_CONN_REQUEST_ATTR_FIELD_CLIENT_ADDR;
  if (api_->conn_request_query(request, &attributes) != UCS_OK) return "ucx client of unknown address";
  TcpAddress address;
  address.storage = attributes.client_address;
  return address.ToString();
}

void UcxWorker::AcceptWaiting() {
  while (!requests_.empty()) {
    const ucp_conn_request_h request = requests_.front();
    requests_.pop_front();
    if (by_endpoint_.size() >= options_.max_links || unopened_ >= options_.max_unopened) {
      ++refused_;
      api_->listener_reject(listener_, request);
      continue;
    }
    auto link = std::make_shared<UcxLink>(this, NameOf(request), options_.offer_memory);
    ucp_ep_params_t params{};
    params.field_mask = UCP_EP_PARAM_FIELD_CONN_REQUEST;
    params.conn_request = request;
    if (!MakeEndpoint(&params, link.get()).ok()) {  // the client has gone already
      ++refused_;
      continue;
    }
    ++unopened_;
    link->FailUnlessOpenedBy(loop_->NowNs() + options_.open_timeout_ns);
  }
}

std::shared_ptr<UcxLink> UcxWorker::TakeAccepted() {
  if (accepted_.empty()) return nullptr;
  std::shared_ptr<UcxLink> link = std::move(accepted_.front());
  accepted_.pop_front();
  return link;
}

ucs_status_t UcxWorker::OnActiveMessage(void* worker, const void* header, size_t header_bytes, void* data, size_t bytes,
                                        const ucp_am_recv_param_t* param) {
  const ByteView view(static_cast<const uint8_t*>(header), header_bytes);
  return static_cast<UcxWorker*>(worker)->Dispatch(view, data, bytes, *param);
}

ucs_status_t UcxWorker::Dispatch(ByteView header, void* data, size_t bytes, const ucp_am_recv_param_t& param) {
  const absl::StatusOr<UcxMessage> message = UcxMessage::Decode(header);
  const auto found = message.ok() ? by_token_.find(message->token) : by_token_.end();
  if (found != by_token_.end()) {
    const std::shared_ptr<UcxLink> link = found->second;
    if (message->kind == UcxMessageKind::kOpen) {
      link->Fail(absl::InvalidArgumentError("ucx: a second open"));
      return UCS_OK;
    }
    return link->OnMessage(*message, data, bytes, (param.recv_attr & UCP_AM_RECV_ATTR_FLAG_RNDV) != 0);
  }
  const bool named = (param.recv_attr & UCP_AM_RECV_ATTR_FIELD_REPLY_EP) != 0;
  if (message.ok() && message->kind == UcxMessageKind::kOpen && bytes == 0 && named) {
    Open(*message, param.reply_ep);
  } else {
    ++strangers_;
  }
  return UCS_OK;  // Without a receive, that is: not wanted.
}

// Which endpoint it came by is what the peer says. One that is open already cannot be taken over.
void UcxWorker::Open(const UcxMessage& message, ucp_ep_h endpoint) {
  const auto found = by_endpoint_.find(endpoint);
  if (listener_ == nullptr || found == by_endpoint_.end() || found->second->opened()->is_set()) {
    ++strangers_;
    return;
  }
  const std::shared_ptr<UcxLink> link = found->second;
  link->set_token(message.token);
  by_token_[message.token] = link;
  --unopened_;
  link->opened()->Set();
  accepted_.push_back(link);
  accepted_changed_->Set();
  link->outbox()->SendAck();
  if (!options_.settings.UsesTcp() || std::exchange(timer_running_, true)) return;
  loop_->StartTimer(this, loop_->NowNs() + kSettledNs);
}

// For links that were opened a moment ago.
void UcxWorker::OnTimer() {
  timer_running_ = false;
  LimitSilenceOfTcpSockets();
}

}  // namespace incipit
