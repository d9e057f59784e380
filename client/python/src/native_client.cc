#include "client/python/src/native_client.h"

#include <fmt/format.h>

#include <type_traits>
#include <utility>

namespace incipit::python {
namespace {

template <typename Item>
std::vector<Item> As(std::vector<LoadItem> items) {
  std::vector<Item> result;
  result.reserve(items.size());
  for (const LoadItem& item : items) {
    result.push_back({item.group, item.depth_tokens, item.key, item.buffer, item.pieces});
  }
  return result;
}

nb::object ToPython(MatchResult result) { return nb::cast(Match(std::move(result))); }
nb::object ToPython(LoadResult result) { return nb::cast(std::move(result)); }
nb::object ToPython(const StatusResult& result) { return nb::bytes(result.status.data(), result.status.size()); }

}  // namespace

class NativeClient::Pass {
 public:
  explicit Pass(NativeClient* owner) : owner_(owner) {
    owner->CheckOwner();
    if (!owner->gate_.Enter()) Raise(ErrorKind::kClosed, "the client is closed");
  }
  ~Pass() { owner_->gate_.Leave(); }
  Pass(const Pass&) = delete;
  Pass& operator=(const Pass&) = delete;

 private:
  NativeClient* owner_;
};

NativeClient::NativeClient(ClientOptions options, std::optional<ElementType> element_type)
    : options_(std::move(options)), element_type_(element_type) {
  absl::StatusOr<std::shared_ptr<CompletionQueue>> queue = CompletionQueue::Create();
  if (!queue.ok()) RaiseStatus(queue.status());
  queue_ = *std::move(queue);
  absl::StatusOr<std::unique_ptr<Client>> client;
  {
    const nb::gil_scoped_release release;
    client = Client::Connect(options_);
  }
  if (!client.ok()) RaiseStatus(client.status());
  client_ = *std::move(client);
}

NativeClient::~NativeClient() {
  if (fork_guard_.InChild()) {
    // Threads and locks of the parent are not here; to wait for them would be to wait for ever.
    (void)client_.release();
    new std::shared_ptr<CompletionQueue>(queue_);
    return;
  }
  Close();
}

void NativeClient::Close() {
  if (fork_guard_.InChild()) return;
  const nb::gil_scoped_release release;
  const std::lock_guard<std::mutex> lock(closing_);
  gate_.Close();
  client_.reset();
}

void NativeClient::CheckOwner() const {
  if (!fork_guard_.InChild()) return;
  Raise(ErrorKind::kForked, fmt::format("the client was made by process {}, this is its forked child {}; connect anew",
                                        fork_guard_.owner(), getpid()));
}

template <typename Function>
auto NativeClient::WithoutGil(Function function) {
  const Pass pass(this);
  const nb::gil_scoped_release release;
  return function();
}

// The call's memory outlives it by standing on this thread's stack.
template <typename Result, typename Request, typename Convert>
Result NativeClient::Blocking(absl::StatusOr<Result> (Client::*method)(Request), Convert convert) {
  CallMemory memory;
  Request request = convert(&memory);
  absl::StatusOr<Result> result = WithoutGil([&] { return (client_.get()->*method)(std::move(request)); });
  if (!result.ok()) RaiseStatus(result.status());
  return *std::move(result);
}

template <typename Result, typename Request, typename Convert>
uint64_t NativeClient::Submit(void (Client::*method)(Request, Callback<Result>), Convert convert) {
  auto memory = std::make_unique<CallMemory>();
  Request request = convert(memory.get());
  const Pass pass(this);
  const uint64_t token = ++last_token_;
  in_flight_.emplace(token, std::move(memory));
  (client_.get()->*method)(std::move(request), [queue = queue_, token](absl::StatusOr<Result> result) {
    queue->Push({token, std::move(result)});
  });
  return token;
}

MatchRequest NativeClient::ToMatch(nb::handle groups, const MatchOptions& options, CallMemory* memory) const {
  return {.groups = ToKeyLists(groups, options_.layout, memory),
          .stamp_ns = options.stamp_ns,
          .lease_ms = options.lease_ms,
          .deadline_ms = options.deadline_ms,
          .claim_ms = options.claim_ms};
}

WaitRequest NativeClient::ToWait(nb::handle groups, const WaitOptions& options, CallMemory* memory) const {
  return {.groups = ToKeyLists(groups, options_.layout, memory),
          .have_tokens = options.have_tokens,
          .step_tokens = options.step_tokens,
          .claim_ms = options.claim_ms,
          .deadline_ms = options.deadline_ms};
}

LoadRequest NativeClient::ToLoad(nb::handle blocks, const LoadOptions& options, CallMemory* memory) const {
  const uint16_t segment_count = options.segment_count.value_or(wire::kAllSegments);
  const BlockRules rules{.call = "load",
                         .layout = &options_.layout,
                         .access = Access::kWrite,
                         .element_type = element_type_,
                         .first_segment = options.first_segment,
                         .segment_count = segment_count};
  return {.items = ToItems(blocks, rules, memory),
          .first_segment = options.first_segment,
          .segment_count = segment_count,
          .stamp_ns = options.stamp_ns,
          .deadline_ms = options.deadline_ms,
          .recompute_tokens = options.recompute_tokens};
}

StoreRequest NativeClient::ToStore(nb::handle blocks, const StoreOptions& options, CallMemory* memory) const {
  const BlockRules rules{.call = "store", .layout = &options_.layout, .element_type = element_type_};
  return {.items = As<StoreItem>(ToItems(blocks, rules, memory)),
          .stamp_ns = options.stamp_ns,
          .deadline_ms = options.deadline_ms,
          .offer_first = options.offer_first};
}

OfferRequest NativeClient::ToOffer(nb::handle names, const StoreOptions& options, CallMemory* memory) const {
  return {.blocks = ToNames(names, "offer", options_.layout, memory),
          .stamp_ns = options.stamp_ns,
          .deadline_ms = options.deadline_ms};
}

TouchRequest NativeClient::ToTouch(nb::handle names, const TouchOptions& options, CallMemory* memory) const {
  return {.blocks = ToNames(names, "touch", options_.layout, memory),
          .stamp_ns = options.stamp_ns,
          .ttl_ms = options.ttl_ms,
          .next_use_ms = options.next_use_ms,
          .deadline_ms = options.deadline_ms};
}

RemoveRequest NativeClient::ToRemove(nb::handle names, uint32_t deadline_ms, CallMemory* memory) const {
  return {.blocks = ToNames(names, "remove", options_.layout, memory), .deadline_ms = deadline_ms};
}

Match NativeClient::DoMatch(nb::handle groups, const MatchOptions& options) {
  return Match(Blocking(&Client::Match, [&](CallMemory* memory) { return ToMatch(groups, options, memory); }));
}
Match NativeClient::DoWait(nb::handle groups, const WaitOptions& options) {
  return Match(Blocking(&Client::Wait, [&](CallMemory* memory) { return ToWait(groups, options, memory); }));
}
LoadResult NativeClient::DoLoad(nb::handle blocks, const LoadOptions& options) {
  return Blocking(&Client::Load, [&](CallMemory* memory) { return ToLoad(blocks, options, memory); });
}
StatusResult NativeClient::DoStore(nb::handle blocks, const StoreOptions& options) {
  return Blocking(&Client::Store, [&](CallMemory* memory) { return ToStore(blocks, options, memory); });
}
StatusResult NativeClient::DoOffer(nb::handle names, const StoreOptions& options) {
  return Blocking(&Client::Offer, [&](CallMemory* memory) { return ToOffer(names, options, memory); });
}
StatusResult NativeClient::DoTouch(nb::handle names, const TouchOptions& options) {
  return Blocking(&Client::Touch, [&](CallMemory* memory) { return ToTouch(names, options, memory); });
}
StatusResult NativeClient::DoRemove(nb::handle names, uint32_t deadline_ms) {
  return Blocking(&Client::Remove, [&](CallMemory* memory) { return ToRemove(names, deadline_ms, memory); });
}

uint64_t NativeClient::SubmitMatch(nb::handle groups, const MatchOptions& options) {
  return Submit(&Client::MatchAsync, [&](CallMemory* memory) { return ToMatch(groups, options, memory); });
}
uint64_t NativeClient::SubmitWait(nb::handle groups, const WaitOptions& options) {
  return Submit(&Client::WaitAsync, [&](CallMemory* memory) { return ToWait(groups, options, memory); });
}
uint64_t NativeClient::SubmitLoad(nb::handle blocks, const LoadOptions& options) {
  return Submit(&Client::LoadAsync, [&](CallMemory* memory) { return ToLoad(blocks, options, memory); });
}
uint64_t NativeClient::SubmitStore(nb::handle blocks, const StoreOptions& options) {
  return Submit(&Client::StoreAsync, [&](CallMemory* memory) { return ToStore(blocks, options, memory); });
}
uint64_t NativeClient::SubmitOffer(nb::handle names, const StoreOptions& options) {
  return Submit(&Client::OfferAsync, [&](CallMemory* memory) { return ToOffer(names, options, memory); });
}
uint64_t NativeClient::SubmitTouch(nb::handle names, const TouchOptions& options) {
  return Submit(&Client::TouchAsync, [&](CallMemory* memory) { return ToTouch(names, options, memory); });
}
uint64_t NativeClient::SubmitRemove(nb::handle names, uint32_t deadline_ms) {
  return Submit(&Client::RemoveAsync, [&](CallMemory* memory) { return ToRemove(names, deadline_ms, memory); });
}

std::vector<ShardStats> NativeClient::Stats() {
  absl::StatusOr<std::vector<ShardStats>> stats = WithoutGil([&] { return client_->Stats(); });
  if (!stats.ok()) RaiseStatus(stats.status());
  return *std::move(stats);
}
ClientCounters NativeClient::Counters() {
  return WithoutGil([&] { return client_->counters(); });
}
NodeInfo NativeClient::Node() {
  return WithoutGil([&] { return client_->node(); });
}
std::vector<NodeInfo> NativeClient::Nodes() {
  return WithoutGil([&] { return client_->nodes(); });
}
uint64_t NativeClient::NewStamp() {
  const Pass pass(this);
  return client_->NewStamp();
}

int NativeClient::EventDescriptor() const {
  CheckOwner();
  return queue_->descriptor();
}

nb::list NativeClient::TakeCompletions() {
  CheckOwner();
  nb::list taken;
  for (Completion& completion : queue_->Take()) {
    nb::object value = nb::none(), error = nb::none();
    std::visit(
        [&](auto& result) {
          if (result.ok()) {
            value = ToPython(*std::move(result));
          } else {
            error = ErrorOf(result.status());
          }
        },
        completion.result);
    taken.append(nb::make_tuple(completion.token, value, error));
    in_flight_.erase(completion.token);
  }
  return taken;
}

}  // namespace incipit::python
