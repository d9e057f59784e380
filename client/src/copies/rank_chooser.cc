#include "client/src/copies/rank_chooser.h"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "client/src/core/key_batches.h"

namespace incipit {

RankChooser::Offer RankChooser::OfferOf(const LoadItem& item, size_t rank, uint64_t bytes) const {
  Offer offer{.rank = rank, .shard = ShardOfPart(context_, shards_, item.group, 0, item.key, rank)};
  ShardConnection* connection = shards_->connections[offer.shard].get();
  if (!connection->ready()) {
    offer.expected_ns = std::numeric_limits<double>::max();
    return offer;
  }
  const uint64_t ahead = connection->load_budget()->used() + given_bytes_[offer.shard];
  offer.expected_ns = connection->load_pace()->ExpectedNs(ahead + bytes, context_->loop->NowNs());
  return offer;
}

size_t RankChooser::Choose(const LoadItem& item, uint8_t ranks, uint64_t bytes) {
  std::array<size_t, 8> held{};
  size_t count = 0;
  for (size_t rank = 0; rank < held.size(); ++rank) {
    if ((ranks >> rank & 1) != 0) held[count++] = rank;
  }
  if (count > 1) std::swap(held[0], held[context_->random->Below(count)]);
  if (count > 2) std::swap(held[1], held[1 + context_->random->Below(count - 1)]);
  Offer best = OfferOf(item, held[0], bytes);
  if (count > 1) {
    const Offer other = OfferOf(item, held[1], bytes);
    if (other.expected_ns < best.expected_ns) best = other;
  }
  given_bytes_[best.shard] += bytes;
  if (best.expected_ns < 1e18) expected_ns_ = std::max(expected_ns_, static_cast<int64_t>(best.expected_ns));
  return best.rank;
}

}  // namespace incipit
