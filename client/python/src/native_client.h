// The C++ client as Python calls it: arguments made into requests, the GIL released, errors typed, memory held.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

#include "client/python/src/call_arguments.h"
#include "client/python/src/call_gate.h"
#include "client/python/src/completion_queue.h"
#include "client/python/src/fork_guard.h"
#include "client/python/src/match.h"
#include "incipit/client.h"

namespace incipit::python {

// What a call takes besides its blocks; fields as in the C++ requests.
struct MatchOptions {
  uint64_t stamp_ns = 0;
  uint32_t lease_ms = 0;
  uint32_t deadline_ms = 0;
  uint32_t claim_ms = 0;
};
struct WaitOptions {
  uint64_t have_tokens = 0;
  uint64_t step_tokens = 0;
  uint32_t claim_ms = 0;
  uint32_t deadline_ms = 0;
};
struct LoadOptions {
  uint16_t first_segment = 0;
  std::optional<uint16_t> segment_count;
  uint64_t stamp_ns = 0;
  uint32_t deadline_ms = 0;
  uint64_t recompute_tokens = 0;
};
struct StoreOptions {
  uint64_t stamp_ns = 0;
  uint32_t deadline_ms = 0;
  bool offer_first = true;
};
struct TouchOptions {
  uint64_t stamp_ns = 0;
  uint32_t ttl_ms = 0;
  uint32_t next_use_ms = 0;
  uint32_t deadline_ms = 0;
};

// Every member needs the GIL; any thread. Calls throw ClosedError after Close() and ForkedError in a forked child,
// where the destructor abandons what belongs to the parent. The client's own thread never takes the GIL.
class NativeClient {
 public:
  NativeClient(ClientOptions options, std::optional<ElementType> element_type);
  ~NativeClient();
  NativeClient(const NativeClient&) = delete;
  NativeClient& operator=(const NativeClient&) = delete;

  // Ends outstanding submitted calls, whose completions can still be taken, and waits for blocking calls of other
  // threads, which end by their deadlines. May be called again.
  void Close();
  bool closed() const { return gate_.closed(); }

  Match DoMatch(nb::handle groups, const MatchOptions& options);
  Match DoWait(nb::handle groups, const WaitOptions& options);
  LoadResult DoLoad(nb::handle blocks, const LoadOptions& options);
  StatusResult DoStore(nb::handle blocks, const StoreOptions& options);
  StatusResult DoOffer(nb::handle names, const StoreOptions& options);
  StatusResult DoTouch(nb::handle names, const TouchOptions& options);
  StatusResult DoRemove(nb::handle names, uint32_t deadline_ms);
  std::vector<ShardStats> Stats();
  ClientCounters Counters();
  NodeInfo Node();
  std::vector<NodeInfo> Nodes();
  uint64_t NewStamp();
  const ClientOptions& options() const { return options_; }

  // The same calls without waiting: each gives a token that its completion will carry.
  uint64_t SubmitMatch(nb::handle groups, const MatchOptions& options);
  uint64_t SubmitWait(nb::handle groups, const WaitOptions& options);
  uint64_t SubmitLoad(nb::handle blocks, const LoadOptions& options);
  uint64_t SubmitStore(nb::handle blocks, const StoreOptions& options);
  uint64_t SubmitOffer(nb::handle names, const StoreOptions& options);
  uint64_t SubmitTouch(nb::handle names, const TouchOptions& options);
  uint64_t SubmitRemove(nb::handle names, uint32_t deadline_ms);
  int EventDescriptor() const;
  size_t InFlight() const { return in_flight_.size(); }
  // List of (token, result or None, error or None), and with it the end of what those calls borrowed.
  nb::list TakeCompletions();

 private:
  // One call between Enter and Leave of the gate.
  class Pass;

  void CheckOwner() const;  // throws ForkedError
  MatchRequest ToMatch(nb::handle groups, const MatchOptions& options, CallMemory* memory) const;
  WaitRequest ToWait(nb::handle groups, const WaitOptions& options, CallMemory* memory) const;
  LoadRequest ToLoad(nb::handle blocks, const LoadOptions& options, CallMemory* memory) const;
  StoreRequest ToStore(nb::handle blocks, const StoreOptions& options, CallMemory* memory) const;
  OfferRequest ToOffer(nb::handle names, const StoreOptions& options, CallMemory* memory) const;
  TouchRequest ToTouch(nb::handle names, const TouchOptions& options, CallMemory* memory) const;
  RemoveRequest ToRemove(nb::handle names, uint32_t deadline_ms, CallMemory* memory) const;
  template <typename Function>
  auto WithoutGil(Function function);
  // `convert` makes the request, and keeps in the CallMemory that it is given what the request borrows.
  template <typename Result, typename Request, typename Convert>
  Result Blocking(absl::StatusOr<Result> (Client::*method)(Request), Convert convert);
  template <typename Result, typename Request, typename Convert>
  uint64_t Submit(void (Client::*method)(Request, Callback<Result>), Convert convert);

  const ForkGuard fork_guard_;
  const ClientOptions options_;
  const std::optional<ElementType> element_type_;
  CallGate gate_;
  std::mutex closing_;
  std::unique_ptr<Client> client_;
  std::shared_ptr<CompletionQueue> queue_;
  uint64_t last_token_ = 0;
  std::unordered_map<uint64_t, std::unique_ptr<CallMemory>> in_flight_;  // by token
};

}  // namespace incipit::python
