#include "client/src/copies/copied_load.h"

#include <algorithm>
#include <bit>
#include <optional>
#include <utility>
#include <vector>

#include "cache/base/piece_cursor.h"
#include "client/src/copies/rank_chooser.h"
#include "client/src/core/load_call.h"

namespace incipit {
namespace {

constexpr int64_t kHedgeMinNs = 50'000'000;
constexpr int64_t kHedgeFactor = 4;
// From so many copies on readers that take turns leave the owner out: it answers everybody's Match, and answers wait
// behind what it sends.
constexpr int kCopiesWithoutOwner = 3;

// One item that is, or may be, at more nodes than its owner.
struct Spread {
  uint32_t item = 0;
  uint64_t block = 0;           // for the CopyTable
  uint8_t first = 0;            // ranks that are known to have it
  uint8_t others = 0;           // that may have it, if the first do not give it
  uint8_t tried = 0;            // the last one
  std::optional<uint8_t> turn;  // at the first
  bool tried_all() const { return (first | others) == 0; }
};

// Items of one try, out of a whole request.
struct Try {
  LoadRequest request;
  std::vector<uint32_t> items;  // in the whole request
  std::vector<uint8_t> ranks;

  void Add(const LoadRequest& whole, uint32_t item, uint8_t rank) {
    request.items.push_back(whole.items[item]);
    items.push_back(item);
    ranks.push_back(rank);
  }
};

Try EmptyTry(const LoadRequest& whole) {
  Try part;
  part.request.first_segment = whole.first_segment;
  part.request.segment_count = whole.segment_count;
  part.request.stamp_ns = whole.stamp_ns;
  return part;
}

Task<void> RunTry(CallContext* context, std::shared_ptr<ShardSet> shards, const Try* part, int64_t deadline_ns,
                  LoadResult* whole) {
  if (part->items.empty()) co_return;
  Task<LoadResult> loading = LoadOnce(context, std::move(shards), &part->request, part->ranks, deadline_ns);
  const LoadResult result = co_await loading;
  for (size_t i = 0; i < part->items.size(); ++i) {
    whole->status[part->items[i]] = result.status[i];
    whole->tier[part->items[i]] = result.tier[i];
    if (part->ranks[i] > 0 && result.status[i] == BlockStatus::kOk) ++context->counters->copy_hits;
  }
}

// What the client knows of the item; nothing to choose from: false.
bool PlacesOf(CallContext* context, const ShardSet& shards, const LoadItem& item, Spread* spread) {
  const auto replicas = static_cast<uint8_t>((1u << context->options->replicas) - 1);
  spread->block = shards.HashOf(context->framed_namespace, item.group, item.key);
  KnownCopies* known = context->copies->Find(spread->block, context->loop->NowNs());
  spread->first = known == nullptr || known->ranks == 0 ? KnownCopies::kOwner : known->ranks;
  if (known != nullptr) spread->turn = std::exchange(known->turn, std::nullopt);
  const auto copies = static_cast<uint8_t>(spread->first & ~KnownCopies::kOwner);
  if (spread->turn.has_value() && std::popcount(copies) >= kCopiesWithoutOwner) spread->first = copies;
  spread->others = static_cast<uint8_t>((replicas | KnownCopies::kOwner) & ~spread->first);
  return spread->first != KnownCopies::kOwner || spread->others != 0;
}

// By when a try gives way to the next.
int64_t HedgeNs(const RankChooser& chooser, int64_t now_ns, int64_t deadline_ns) {
  const int64_t half_ns = (deadline_ns - now_ns) / 2;
  const int64_t expected_ns = chooser.ExpectedNs();
  if (expected_ns == 0) return now_ns + half_ns;
  return now_ns + std::min(half_ns, std::max(kHedgeMinNs, kHedgeFactor * expected_ns));
}

// One try of all that is left. Blocks that have no other place after this one may take all the time there is.
Task<void> TryOnce(CallContext* context, std::shared_ptr<ShardSet> shards, const LoadRequest* whole,
                   std::vector<Spread>* left, int64_t deadline_ns, LoadResult* result) {
  RankChooser chooser(context, shards.get());
  Try part = EmptyTry(*whole), last_part = EmptyTry(*whole);
  for (Spread& spread : *left) {
    const LoadItem& item = whole->items[spread.item];
    if (spread.first == 0) spread.first = std::exchange(spread.others, uint8_t{0});
    const uint64_t bytes = item.pieces.empty() ? item.buffer.iov_len : BytesOf(item.pieces);
    const std::optional<uint8_t> turn = std::exchange(spread.turn, std::nullopt);
    spread.tried = static_cast<uint8_t>(turn.has_value() ? chooser.ChooseByTurn(item, spread.first, bytes, *turn)
                                                         : chooser.Choose(item, spread.first, bytes));
    spread.first = static_cast<uint8_t>(spread.first & ~(1u << spread.tried));
    (spread.tried_all() ? last_part : part).Add(*whole, spread.item, spread.tried);
  }
  const int64_t hedge_ns = HedgeNs(chooser, context->loop->NowNs(), deadline_ns);
  TaskScope scope(context->loop);
  scope.Spawn(RunTry(context, shards, &part, hedge_ns, result));
  scope.Spawn(RunTry(context, shards, &last_part, deadline_ns, result));
  co_await scope.Join();
}

Task<void> LoadSpread(CallContext* context, std::shared_ptr<ShardSet> shards, const LoadRequest* whole,
                      std::vector<Spread> left, int64_t deadline_ns, LoadResult* result) {
  for (bool again = false; !left.empty() && context->loop->NowNs() < deadline_ns; again = true) {
    if (again) context->counters->second_tries += left.size();
    Task<void> trying = TryOnce(context, shards, whole, &left, deadline_ns, result);
    co_await trying;
    std::erase_if(left, [&](const Spread& spread) {
      const BlockStatus status = result->status[spread.item];
      if (status == BlockStatus::kMiss) context->copies->Add(spread.block, spread.tried, false);
      return status == BlockStatus::kOk || spread.tried_all();
    });
  }
}

}  // namespace

Task<LoadResult> LoadFromCopies(CallContext* context, std::shared_ptr<ShardSet> shards, const LoadRequest* request,
                                int64_t deadline_ns) {
  LoadResult result;
  result.status.assign(request->items.size(), BlockStatus::kExpired);
  result.tier.assign(request->items.size(), Presence::kMiss);
  Try at_owners = EmptyTry(*request);
  std::vector<Spread> spread;
  for (uint32_t item = 0; item < request->items.size(); ++item) {
    Spread places{.item = item};
    if (PlacesOf(context, *shards, request->items[item], &places)) {
      spread.push_back(places);
    } else {
      at_owners.Add(*request, item, 0);
    }
  }
  TaskScope scope(context->loop);
  scope.Spawn(RunTry(context, shards, &at_owners, deadline_ns, &result));
  scope.Spawn(LoadSpread(context, shards, request, std::move(spread), deadline_ns, &result));
  co_await scope.Join();
  co_return result;
}

}  // namespace incipit
