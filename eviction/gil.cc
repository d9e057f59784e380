#include "eviction/gil.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "cache/base/check.h"

namespace incipit {
namespace {

// What was learned counts half after so many touches, or so many times the capacity.
constexpr uint64_t kHalfLifeTouches = uint64_t{1} << 18;
constexpr uint64_t kHalfLifeCapacities = 8;
constexpr double kSoonestUseS = 0.05;        // closer announcements do not differ
constexpr uint64_t kLateNs = 2'000'000'000;  // an announced touch may be so late and still be believed
constexpr int kResamples = 8;                // where nothing of what was drawn may be evicted

}  // namespace

std::shared_ptr<ReuseModel> NewReuseModel(uint64_t capacity_blocks, uint32_t shards,
                                          std::shared_ptr<ReuseExchange> exchange) {
  return std::make_shared<ReuseModel>(std::max(kHalfLifeTouches / shards, kHalfLifeCapacities * capacity_blocks),
                                      std::move(exchange));
}

GilPolicy::GilPolicy(const GilOptions& options)
    : options_(options),
      most_ghosts_(GhostsFor(options.capacity_blocks, kMaxGhosts)),
      model_(options.model != nullptr ? options.model : NewReuseModel(options.capacity_blocks)),
      random_state_(options.seed),
      class_of_last_(ReuseModel::ClassOf(last_situation_)) {
  model_->Join(this, [this](ReuseModel* model) { TakeCensus(model); });
}

GilPolicy::~GilPolicy() { model_->Leave(this); }

void GilPolicy::OnInsert(BlockId id, const Access& access) {
  INCIPIT_CHECK(id != kNoBlock && !Held(id), absl::StrCat("insert of block ", id, ", which is already held").c_str());
  nodes_.Reach(id);
  touches_.Reach(id);
  if (key_source_ == nullptr) {
    keys_.Reach(id);
    keys_[id] = access.key;
  }
  touches_[id] = {};
  now_ns_ = std::max(now_ns_, access.stamp_ns);
  uint64_t gap_ns = 0;
  if (access.key != 0) {
    if (const std::optional<Ghost> ghost = ghosts_.Take(access.key); ghost.has_value()) {
      const Segment& segment = segments_[ghost->segment];
      gap_ns = std::max<uint64_t>(1, AgeAt(segment.stamp_ns));
      Learn(segment, /*lost=*/false);
      touches_[id].count = ghost->touches;
      StopWaiting(ghost->segment);
    }
  }
  ++size_;
  Enter(id, access, gap_ns);
}

void GilPolicy::OnAccess(BlockId id, const Access& access) {
  INCIPIT_CHECK(Held(id), absl::StrCat("access to block ", id, ", which is not held").c_str());
  const SegmentId from = nodes_[id].segment;
  const uint64_t before_ns = segments_[from].stamp_ns;
  if (access.stamp_ns <= before_ns) return;
  now_ns_ = std::max(now_ns_, access.stamp_ns);
  const uint64_t gap_ns = access.stamp_ns - before_ns;
  Learn(segments_[from], /*lost=*/false);
  Unlink(id);
  StopWaiting(from);
  Enter(id, access, gap_ns);
}

void GilPolicy::Enter(BlockId id, const Access& access, uint64_t gap_ns) {
  Node& node = nodes_[id];
  node.depth = access.depth_tokens;
  uint8_t& touches = touches_[id].count;
  if (touches < kMostTouches) ++touches;
  const ReuseModel::ClassId klass = ClassOf(access, touches, gap_ns);
  RequestInHand* request = InHand(access.stamp_ns);
  node.segment = SegmentFor(request, klass);
  ++segments_[node.segment].waiting;
  Link(GroupFor(request, access.cost != nullptr ? access.cost : &options_.cost), id);
  model_->Begin();
}

void GilPolicy::OnHint(BlockId id, const Hint& hint) {
  INCIPIT_CHECK(Held(id), absl::StrCat("hint for block ", id, ", which is not held").c_str());
  const GroupId from = nodes_[id].group;
  const Hint known = groups_[from].hint;
  Hint merged = known;
  if (hint.next_use_ns > now_ns_ && (known.next_use_ns <= now_ns_ || hint.next_use_ns < known.next_use_ns)) {
    merged.next_use_ns = hint.next_use_ns;
  }
  if (hint.expires_ns != 0) merged.expires_ns = hint.expires_ns;
  if (merged.next_use_ns == known.next_use_ns && merged.expires_ns == known.expires_ns) return;
  const GroupId to = HintedGroupFor(from, merged);
  Unlink(id);
  if (const SegmentId segment = nodes_[id].segment; merged.next_use_ns != 0 && !segments_[segment].announced) {
    Learn(segments_[segment], /*lost=*/false);
    nodes_[id].segment = AnnouncedSegmentFor(segment);
    ++segments_[nodes_[id].segment].waiting;
    StopWaiting(segment);
  }
  Link(to, id);
}

void GilPolicy::SetCapacity(size_t blocks, size_t ghosts) {
  most_ghosts_ = GhostsFor(blocks, ghosts);
  model_->SetHalfLife(this, kHalfLifeCapacities * blocks);
  while (ghosts_.size() > most_ghosts_) ForgetOldest();
}

void GilPolicy::Prefetch(BlockId id) const {
  if (id < nodes_.size()) __builtin_prefetch(&nodes_[id], 1);
}

void GilPolicy::OnRemove(BlockId id) {
  INCIPIT_CHECK(Held(id), absl::StrCat("removal of block ", id, ", which is not held").c_str());
  const SegmentId segment = nodes_[id].segment;
  Unlink(id);
  nodes_[id].segment = kNone;
  --size_;
  const uint64_t key = KeyOf(id);
  if (key == 0) {
    Learn(segments_[segment], /*lost=*/true);
    StopWaiting(segment);
    return;
  }
  ghosts_.Add(key, {segment, touches_[id].count});
  if (ghosts_.size() > most_ghosts_) ForgetOldest();
}

void GilPolicy::ForgetOldest() {
  const Ghost oldest = *ghosts_.DropOldest();
  Learn(segments_[oldest.segment], /*lost=*/true);
  StopWaiting(oldest.segment);
}

ReuseModel::ClassId GilPolicy::ClassOf(const Access& access, uint8_t touches, uint64_t gap_ns) {
  const ReuseSituation situation{.turn = access.turn,
                                 .touches = touches,
                                 .gap_ns = gap_ns,
                                 .output_tokens = access.output_tokens,
                                 .end_reason = access.end_reason};
  if (situation != last_situation_) {
    last_situation_ = situation;
    class_of_last_ = ReuseModel::ClassOf(situation);
  }
  return class_of_last_;
}

GilPolicy::RequestInHand* GilPolicy::InHand(uint64_t stamp_ns) {
  RequestInHand* request = &in_hand_[MixKey(stamp_ns) % kRequestsInHand];
  if (request->stamp_ns != stamp_ns) {
    request->stamp_ns = stamp_ns;
    request->group = kNone;
    request->segments.clear();
  }
  return request;
}

GilPolicy::SegmentId GilPolicy::SegmentFor(RequestInHand* request, ReuseModel::ClassId klass) {
  SegmentId* gone = nullptr;  // emptied, and perhaps used again for something else, within the request
  for (SegmentId& id : request->segments) {
    const Segment& segment = segments_[id];
    const bool is_its_own = segment.stamp_ns == request->stamp_ns && segment.waiting > 0 && !segment.announced;
    if (is_its_own && segment.klass == klass) return id;
    if (!is_its_own) gone = &id;
  }
  if (gone == nullptr) gone = &request->segments.emplace_back();
  *gone = NewSegment({.stamp_ns = request->stamp_ns, .epoch = model_->epoch(), .klass = klass});
  return *gone;
}

GilPolicy::SegmentId GilPolicy::AnnouncedSegmentFor(SegmentId origin) {
  const Segment from = segments_[origin];
  if (announced_origin_ == origin && segments_[announced_].waiting > 0 && segments_[announced_].announced &&
      segments_[announced_].stamp_ns == from.stamp_ns && segments_[announced_].klass == from.klass) {
    return announced_;
  }
  announced_origin_ = origin;
  announced_ = NewSegment({.stamp_ns = from.stamp_ns, .epoch = from.epoch, .klass = from.klass, .announced = true});
  return announced_;
}

GilPolicy::SegmentId GilPolicy::NewSegment(const Segment& segment) {
  SegmentId id = static_cast<SegmentId>(segments_.size());
  if (unused_segments_.empty()) {
    segments_.emplace_back();
  } else {
    id = unused_segments_.back();
    unused_segments_.pop_back();
  }
  segments_[id] = segment;
  return id;
}

// A block of the segment waits no longer: it was touched or announced, or what was known of it is lost.
void GilPolicy::Learn(const Segment& segment, bool lost, size_t blocks) {
  if (segment.announced) return;
  const uint64_t age_ns = AgeAt(segment.stamp_ns);
  if (lost) {
    model_->Lost(segment.klass, segment.epoch, age_ns);
  } else {
    model_->Ended(segment.klass, segment.epoch, age_ns, blocks);
  }
}

GilPolicy::GroupId GilPolicy::GroupFor(RequestInHand* request, const CostModel* cost) {
  if (request->group != kNone) {
    const Group& group = groups_[request->group];
    if (group.blocks > 0 && group.stamp_ns == request->stamp_ns && group.cost == cost && group.hint.next_use_ns == 0 &&
        group.hint.expires_ns == 0) {
      return request->group;
    }
  }
  request->group = NewGroup({.stamp_ns = request->stamp_ns, .cost = cost});
  return request->group;
}

GilPolicy::GroupId GilPolicy::HintedGroupFor(GroupId origin, const Hint& hint) {
  const uint64_t stamp_ns = groups_[origin].stamp_ns;
  const CostModel* cost = groups_[origin].cost;
  if (hinted_origin_ == origin && groups_[hinted_].blocks > 0) {
    const Group& last = groups_[hinted_];
    if (last.stamp_ns == stamp_ns && last.cost == cost && last.hint.next_use_ns == hint.next_use_ns &&
        last.hint.expires_ns == hint.expires_ns) {
      return hinted_;
    }
  }
  hinted_origin_ = origin;
  hinted_ = NewGroup({.stamp_ns = stamp_ns, .hint = hint, .cost = cost});
  return hinted_;
}

GilPolicy::GroupId GilPolicy::NewGroup(const Group& group) {
  GroupId id = static_cast<GroupId>(groups_.size());
  if (unused_groups_.empty()) {
    groups_.emplace_back();
  } else {
    id = unused_groups_.back();
    unused_groups_.pop_back();
  }
  groups_[id] = group;
  return id;
}

// Into its place by depth: at one of the ends for requests that are walked in order, either way.
void GilPolicy::Link(GroupId id, BlockId block) {
  Group& group = groups_[id];
  Node& node = nodes_[block];
  node.group = id;
  BlockId deeper = kNoBlock;
  BlockId shallower = group.deepest;
  if (group.blocks > 0 && node.depth <= nodes_[group.shallowest].depth) {
    deeper = group.shallowest;
    shallower = kNoBlock;
  }
  while (shallower != kNoBlock && nodes_[shallower].depth > node.depth) {
    deeper = shallower;
    shallower = nodes_[shallower].shallower;
  }
  node.deeper = deeper;
  node.shallower = shallower;
  (deeper == kNoBlock ? group.deepest : nodes_[deeper].shallower) = block;
  (shallower == kNoBlock ? group.shallowest : nodes_[shallower].deeper) = block;
  if (deeper == kNoBlock) NoteLeaf(&group);
  if (group.blocks++ > 0) return;
  group.place = static_cast<uint32_t>(live_groups_.size());
  live_groups_.push_back(id);
}

void GilPolicy::Unlink(BlockId block) {
  const Node& node = nodes_[block];
  Group& group = groups_[node.group];
  (node.deeper == kNoBlock ? group.deepest : nodes_[node.deeper].shallower) = node.shallower;
  (node.shallower == kNoBlock ? group.shallowest : nodes_[node.shallower].deeper) = node.deeper;
  if (--group.blocks > 0) {
    if (node.deeper == kNoBlock) NoteLeaf(&group);
    return;
  }
  EndGroup(node.group);
}

void GilPolicy::NoteLeaf(Group* group) {
  const Node& leaf = nodes_[group->deepest];
  group->leaf_depth = leaf.depth;
  group->leaf_class = segments_[leaf.segment].klass;
}

void GilPolicy::StopWaiting(SegmentId id) {
  if (--segments_[id].waiting == 0) unused_segments_.push_back(id);
}

uint64_t GilPolicy::AgeAt(uint64_t stamp_ns) const { return now_ns_ - std::min(now_ns_, stamp_ns); }

double GilPolicy::IndexOf(const Group& group, ReuseModel::ClassId klass, uint32_t depth) const {
  if (group.hint.expires_ns != 0 && group.hint.expires_ns <= now_ns_) return 0;
  double index = model_->Index(klass, AgeAt(group.stamp_ns));
  if (group.hint.next_use_ns != 0 && now_ns_ < group.hint.next_use_ns + kLateNs) {
    const double wait_ns = static_cast<double>(group.hint.next_use_ns) - static_cast<double>(now_ns_);
    index = std::max(index, 1 / std::max(kSoonestUseS, wait_ns / 1e9));
  }
  if (options_.cost_exponent > 0) {
    const double cost = group.cost->RelativeAt(depth);
    index *= options_.cost_exponent == 1 ? cost : std::pow(cost, options_.cost_exponent);
  }
  return index;
}

// Of equals the one touched longest ago is worst. REQUIRES: a group is live.
GilPolicy::GroupId GilPolicy::Sample() {
  GroupId worst = last_victim_ != kNone ? last_victim_ : live_groups_[0];
  double worst_index = IndexOf(groups_[worst], groups_[worst].leaf_class, groups_[worst].leaf_depth);
  const auto compare = [&](GroupId id) {
    const Group& group = groups_[id];
    const double index = IndexOf(group, group.leaf_class, group.leaf_depth);
    if (index > worst_index || (index == worst_index && group.stamp_ns >= groups_[worst].stamp_ns)) return;
    worst = id;
    worst_index = index;
  };
  if (live_groups_.size() <= kSamples) {
    for (const GroupId id : live_groups_) compare(id);
    return worst;
  }
  // All are drawn first, so that they are fetched at the same time.
  std::array<GroupId, kSamples> drawn;
  for (GroupId& id : drawn) {
    id = live_groups_[Random() % live_groups_.size()];
    __builtin_prefetch(&groups_[id].stamp_ns);
    __builtin_prefetch(&groups_[id].leaf_class);
  }
  for (const GroupId id : drawn) compare(id);
  return worst;
}

BlockId GilPolicy::FirstOf(const Group& group, absl::FunctionRef<bool(BlockId)> evictable, size_t* candidates) const {
  for (BlockId id = group.deepest; id != kNoBlock && *candidates > 0; id = nodes_[id].shallower) {
    --*candidates;
    if (evictable(id)) return id;
  }
  return kNoBlock;
}

BlockId GilPolicy::Victim(absl::FunctionRef<bool(BlockId)> evictable, size_t max_candidates) {
  if (live_groups_.empty()) return kNoBlock;
  if (victims_left_ > 0 && last_victim_ != kNone && groups_[last_victim_].leaf_class == last_class_) {
    --victims_left_;
    const BlockId id = FirstOf(groups_[last_victim_], evictable, &max_candidates);
    if (id != kNoBlock) return id;
    last_victim_ = kNone;
  }
  for (int i = 0; i < kResamples && max_candidates > 0; ++i) {
    const GroupId worst = Sample();
    const BlockId id = FirstOf(groups_[worst], evictable, &max_candidates);
    last_victim_ = id == kNoBlock ? kNone : worst;
    last_class_ = groups_[worst].leaf_class;
    victims_left_ = kVictimsPerSample - 1;
    if (id != kNoBlock) return id;
  }
  for (const GroupId group : live_groups_) {
    const BlockId id = FirstOf(groups_[group], evictable, &max_candidates);
    if (id != kNoBlock || max_candidates == 0) return id;
  }
  return kNoBlock;
}

bool GilPolicy::Outranks(BlockId a, BlockId b) const {
  const Node& left = nodes_[a];
  const Node& right = nodes_[b];
  const double left_index = IndexOf(groups_[left.group], segments_[left.segment].klass, left.depth);
  const double right_index = IndexOf(groups_[right.group], segments_[right.segment].klass, right.depth);
  if (left_index != right_index) return left_index > right_index;
  return StampOf(a) != StampOf(b) ? StampOf(a) > StampOf(b) : left.depth < right.depth;
}

uint64_t GilPolicy::StampOf(BlockId id) const {
  INCIPIT_CHECK(Held(id), absl::StrCat("stamp of block ", id, ", which is not held").c_str());
  return segments_[nodes_[id].segment].stamp_ns;
}

void GilPolicy::TakeCensus(ReuseModel* model) const {
  for (const Segment& s : segments_) {
    if (s.waiting > 0 && !s.announced) model->Count({s.klass, s.epoch, AgeAt(s.stamp_ns), s.waiting});
  }
}

uint64_t GilPolicy::Random() { return MixKey(random_state_ += 0x9e3779b97f4a7c15u); }

uint64_t GilPolicy::MemoryBytes() const {
  return nodes_.MemoryBytes() + touches_.MemoryBytes() + keys_.MemoryBytes() + segments_.capacity() * sizeof(Segment) +
         groups_.capacity() * sizeof(Group) +
         (unused_segments_.capacity() + unused_groups_.capacity() + live_groups_.capacity()) * sizeof(uint32_t) +
         ghosts_.MemoryBytes() + model_->MemoryBytes();
}

}  // namespace incipit
