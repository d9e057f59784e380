#include "eviction/reuse_curve.h"

#include <algorithm>
#include <cmath>

#include "eviction/ghost_table.h"

namespace incipit {
namespace {

constexpr size_t kMostCandidatesKept = 1024;  // room kept from one request to the next

int StepOf(double distance) {
  return std::clamp(static_cast<int>(std::ceil(2 * std::log2(std::max(1.0, distance)))), 0, ReuseDistances::kSteps - 1);
}

}  // namespace

void ReuseCurve::PlaceCounts::Change(uint32_t place, int32_t by) {
  total_ += by;
  for (size_t i = place + 1; i < sums_.size(); i += i & (~i + 1)) sums_[i] += by;
}

uint32_t ReuseCurve::PlaceCounts::AtOrAfter(uint32_t place) const {
  int32_t before = 0;
  for (size_t i = place; i > 0; i &= i - 1) before += sums_[i];
  return static_cast<uint32_t>(total_ - before);
}

void ReuseCurve::PlaceCounts::Clear() {
  std::fill(sums_.begin(), sums_.end(), 0);
  total_ = 0;
}

// Distances are those before the request. Then the deepest first: what was used last outranks what was used before.
// Few blocks are followed, so all others cost a hash and a comparison.
void ReuseCurve::Use(std::span<const uint64_t> blocks, uint64_t stamp_ns) {
  candidates_.clear();
  for (const uint64_t block : blocks) {
    const uint64_t hash = MixKey(block);
    if (MayBeFollowed(hash)) candidates_.push_back(hash);
  }
  for (const uint64_t hash : candidates_) {
    const auto found = followed_.find(hash);
    if (found == followed_.end()) {
      if (hash < sampled_below_) weights_ += BlocksPerSampled();
    } else if (found->second.stamp_ns != stamp_ns) {
      Record(found->second);
    }
  }
  size_t repeated = 0;
  for (size_t i = candidates_.size(); i-- > 0;) repeated += UseCandidate(candidates_[i], stamp_ns) ? 0 : 1;
  CountUses(blocks, blocks.size() - repeated);
  if (candidates_.capacity() > kMostCandidatesKept) candidates_ = {};
}

// False if the request has told of the block before.
bool ReuseCurve::UseCandidate(uint64_t hash, uint64_t stamp_ns) {
  if (!MayBeFollowed(hash)) return true;  // Others of the request came into the sample meanwhile.
  if (next_place_ == kPlaces) Renumber();
  const auto found = followed_.find(hash);
  if (found == followed_.end()) {
    if (hash < sampled_below_) Follow(hash, stamp_ns);
    return true;
  }
  Followed& block = found->second;
  if (block.stamp_ns == stamp_ns) return false;
  CountsOf(block).Change(block.place, -1);
  block.place = next_place_++;
  block.stamp_ns = stamp_ns;
  ++block.uses_in_window;
  CountsOf(block).Change(block.place, 1);
  return true;
}

// One of kLookEvery uses is looked at, at places that no period of the prompts can follow.
void ReuseCurve::CountUses(std::span<const uint64_t> blocks, size_t uses) {
  for (; next_look_ < uses_ + uses; next_look_ += 1 + MixKey(next_look_) % (2 * kLookEvery - 1)) {
    Look(MixKey(blocks[next_look_ - uses_]));
  }
  const bool fades = (uses_ + uses) / kHalfLifeUses != uses_ / kHalfLifeUses;
  uses_ += uses;
  distances_.uses += static_cast<double>(uses);
  if (!fades) return;
  for (double& weight : distances_.reused) weight /= 2;
  for (double& weight : shared_reused_) weight /= 2;
  distances_.uses /= 2;
  weights_ /= 2;
}

void ReuseCurve::Record(const Followed& block) {
  const double weight = block.shared ? 1 : BlocksPerSampled();
  // Without the block itself, which is there once whatever it stands for.
  const double sampled = sampled_places_.AtOrAfter(block.place) - (block.shared ? 0.0 : 1.0);
  const double shared = shared_places_.AtOrAfter(block.place) - (block.shared ? 1.0 : 0.0);
  const int step = StepOf(1 + shared + sampled * BlocksPerSampled());
  distances_.reused[step] += weight;
  if (block.shared) shared_reused_[step] += weight;
  weights_ += weight;
}

double ReuseCurve::BlocksPerSampled() const { return 0x1p64 / static_cast<double>(sampled_below_); }

void ReuseCurve::Follow(uint64_t hash, uint64_t stamp_ns) {
  followed_[hash] = {.place = next_place_, .stamp_ns = stamp_ns};
  sampled_places_.Change(next_place_++, 1);
  Sample(hash);
}

void ReuseCurve::Sample(uint64_t hash) {
  ++sampled_count_;
  sampled_.push_back(hash);
  std::push_heap(sampled_.begin(), sampled_.end());
  if (sampled_count_ > kMostSampled) SampleLess();
}

// Gives up the block of the greatest hash, and with it all that hash as much or more.
void ReuseCurve::SampleLess() {
  while (true) {
    const uint64_t hash = sampled_.front();
    std::pop_heap(sampled_.begin(), sampled_.end());
    sampled_.pop_back();
    const auto found = followed_.find(hash);
    if (found == followed_.end() || found->second.shared) continue;
    sampled_below_ = hash;
    CountsOf(found->second).Change(found->second.place, -1);
    followed_.erase(found);
    --sampled_count_;
    return;
  }
}

void ReuseCurve::Look(uint64_t hash) {
  ++looks_[hash];
  if (++looks_in_window_ == kLooksPerWindow) EndWindow();
}

// A block whose uses in the window, as those of all the blocks it stands for, would be more than kSharedWeight of all
// is shared, and is no more once it has half of that.
void ReuseCurve::EndWindow() {
  const double shared_uses = kSharedWeight * kLooksPerWindow * kLookEvery / BlocksPerSampled();
  std::vector<uint64_t> more, no_more;
  shared_filter_.reset();
  for (auto& [hash, block] : followed_) {
    const uint32_t uses = std::exchange(block.uses_in_window, 0);
    if (!block.shared && uses > shared_uses) more.push_back(hash);
    if (block.shared && uses <= shared_uses / 2) no_more.push_back(hash);
    if (block.shared && uses > shared_uses / 2) shared_filter_.set(hash >> 51);
  }
  for (const uint64_t hash : no_more) ShareNoMore(hash);
  for (const uint64_t hash : more) Share(hash);
  for (const auto& [hash, looks] : looks_) {
    if (looks >= kSharedLooks) Share(hash);
  }
  looks_.clear();
  looks_in_window_ = 0;
}

// What was not followed so far begins as if it had just been used.
void ReuseCurve::Share(uint64_t hash) {
  const auto found = followed_.find(hash);
  if (shared_count_ == kMostShared || (found != followed_.end() && found->second.shared)) return;
  if (next_place_ == kPlaces) Renumber();
  ++shared_count_;
  shared_filter_.set(hash >> 51);
  if (found == followed_.end()) {
    followed_[hash] = {.place = next_place_, .shared = true};
    shared_places_.Change(next_place_++, 1);
    return;
  }
  sampled_places_.Change(found->second.place, -1);
  --sampled_count_;
  found->second.shared = true;
  shared_places_.Change(found->second.place, 1);
}

void ReuseCurve::ShareNoMore(uint64_t hash) {
  const auto found = followed_.find(hash);
  shared_places_.Change(found->second.place, -1);
  --shared_count_;
  if (hash >= sampled_below_) {
    followed_.erase(found);
    return;
  }
  found->second.shared = false;
  sampled_places_.Change(found->second.place, 1);
  Sample(hash);
}

// Packs the places in use together, in their order.
void ReuseCurve::Renumber() {
  std::vector<std::pair<uint32_t, Followed*>> in_order;
  in_order.reserve(followed_.size());
  for (auto& [hash, block] : followed_) in_order.push_back({block.place, &block});
  std::sort(in_order.begin(), in_order.end());
  sampled_places_.Clear();
  shared_places_.Clear();
  next_place_ = 0;
  for (auto& [place, block] : in_order) {
    block->place = next_place_;
    CountsOf(*block).Change(next_place_++, 1);
  }
  // Hashes that surface as stale would pile up while the sample is not full.
  if (sampled_.size() <= 2 * kMostSampled) return;
  sampled_.clear();
  for (const auto& [hash, block] : followed_) {
    if (!block.shared) sampled_.push_back(hash);
  }
  std::make_heap(sampled_.begin(), sampled_.end());
}

ReuseDistances ReuseCurve::distances() const {
  ReuseDistances result = distances_;
  double shared = 0;
  for (const double weight : shared_reused_) shared += weight;
  const double missed = result.uses - weights_;
  for (int step = 0; step < ReuseDistances::kSteps; ++step) {
    if (missed < 0) result.reused[step] *= result.uses / weights_;
    if (missed > 0 && shared > 0) result.reused[step] += missed * shared_reused_[step] / shared;
  }
  if (shared == 0) result.reused[0] += std::max(0.0, missed);
  return result;
}

uint64_t ReuseCurve::MemoryBytes() const {
  const auto of_map = [](const auto& map) { return map.capacity() * (sizeof(*map.begin()) + 1); };
  return of_map(followed_) + of_map(looks_) + (sampled_.capacity() + candidates_.capacity()) * sizeof(uint64_t) +
         sampled_places_.MemoryBytes() + shared_places_.MemoryBytes();
}

}  // namespace incipit
