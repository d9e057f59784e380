#include "client/src/copies/rank_chooser.h"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "client/src/core/key_batches.h"

namespace incipit {
namespace {

constexpr double kAway = std::numeric_limits<double>::max();
constexpr double kMuchSlower = 4, kWorthChangingNs = 20e6;

struct RankList {
  std::array<size_t, 8> held{};
  size_t count = 0;
};

RankList RanksIn(uint8_t ranks) {
  RankList list;
  for (size_t rank = 0; rank < list.held.size(); ++rank) {
    if ((ranks >> rank & 1) != 0) list.held[list.count++] = rank;
  }
  return list;
}

}  // namespace

RankChooser::Offer RankChooser::OfferOf(const LoadItem& item, size_t rank, uint64_t bytes) const {
  Offer offer{.rank = rank, .shard = ShardOfPart(context_, shards_, item.group, 0, item.key, rank)};
  ShardConnection* connection = shards_->connections[offer.shard].get();
  if (!connection->ready()) {
    offer.expected_ns = kAway;
    return offer;
  }
  const uint64_t ahead = connection->load_budget()->used() + given_bytes_[offer.shard];
  offer.expected_ns = connection->load_pace()->ExpectedNs(ahead + bytes, context_->loop->NowNs());
  return offer;
}

size_t RankChooser::Take(const Offer& offer, uint64_t bytes) {
  given_bytes_[offer.shard] += bytes;
  if (offer.expected_ns < kAway) expected_ns_ = std::max(expected_ns_, static_cast<int64_t>(offer.expected_ns));
  return offer.rank;
}

size_t RankChooser::Choose(const LoadItem& item, uint8_t ranks, uint64_t bytes) {
  auto [held, count] = RanksIn(ranks);
  if (count > 1) std::swap(held[0], held[context_->random->Below(count)]);
  if (count > 2) std::swap(held[1], held[1 + context_->random->Below(count - 1)]);
  Offer best = OfferOf(item, held[0], bytes);
  if (count > 1) {
    const Offer other = OfferOf(item, held[1], bytes);
    if (other.expected_ns < best.expected_ns) best = other;
  }
  return Take(best, bytes);
}

size_t RankChooser::ChooseByTurn(const LoadItem& item, uint8_t ranks, uint64_t bytes, uint8_t turn) {
  const auto [held, count] = RanksIn(ranks);
  const Offer due = OfferOf(item, held[turn % count], bytes);
  const Offer other = OfferOf(item, held[context_->random->Below(count)], bytes);
  const bool slow = other.expected_ns > 0 && due.expected_ns > kMuchSlower * other.expected_ns &&  // 0: not known
                    due.expected_ns - other.expected_ns > kWorthChangingNs;
  if (slow || due.expected_ns >= kAway) return Choose(item, ranks, bytes);
  return Take(due, bytes);
}

}  // namespace incipit
