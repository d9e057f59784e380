#include "cluster/warming/shard_warmer.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <utility>

#include "cache/base/status_macros.h"
#include "cache/format/identity.h"
#include "spdlog/spdlog.h"

namespace incipit {
namespace {

constexpr uint32_t kMaxPeerLeaseMs = 10'000;  // nobody releases them: the client's lease is one of this node

class MatchSink : public ReplySink {
 public:
  Task<absl::Status> OnReply(FrameChannel*, const IncomingFrame* frame) override {
    absl::StatusOr<wire::MatchReply> decoded = wire::MatchReply::Decode(frame->meta);
    if (!decoded.ok()) co_return decoded.status();
    reply = *std::move(decoded);
    co_return absl::OkStatus();
  }
  wire::MatchReply reply;
};

}  // namespace

ShardWarmer::ShardWarmer(Shard* shard, PeerEnvironment env)
    : shard_(shard),
      env_(std::move(env)),
      peers_(&env_),
      fetcher_(&env_, shard->store()),
      plan_changed_(env_.loop),
      tasks_(env_.loop) {
  env_.counters = &counters_;
  tasks_.Spawn(Tidy());
}

ShardWarmer::~ShardWarmer() = default;

void ShardWarmer::SetPlan(std::shared_ptr<const PeerPlan> plan) {
  plan_ = std::move(plan);
  peers_.Keep(plan_->map());
  if (mover_ != nullptr) mover_->SetPlan(plan_);
  plan_changed_.Set();
}

Task<void> ShardWarmer::Tidy() {
  while (!stopping_) {
    plan_changed_.Clear();
    int64_t until_ns = kForeverNs;
    if (plan_ != nullptr && !plan_->Active(env_.loop->NowNs())) {
      if (mover_ == nullptr) peers_.CloseIdle();
    } else if (plan_ != nullptr && plan_->past_until_ns() > env_.loop->NowNs()) {
      until_ns = plan_->past_until_ns();
    }
    co_await plan_changed_.WaitUntil(until_ns);
  }
}

void ShardWarmer::BeginMoving(const MoveOrder& order, std::shared_ptr<MoveBoard> board) {
  if (mover_ != nullptr || plan_ == nullptr || stopping_) {
    board->done = true;
    return;
  }
  shard_->set_takes_stores(false);
  mover_ = std::make_shared<BlockMover>(&env_, shard_->store(), &peers_, plan_, order, std::move(board), &counters_);
  auto run = [](std::shared_ptr<BlockMover> mover) -> Task<void> {
    Task<void> moving = mover->Run();
    co_await moving;
  };
  tasks_.Spawn(run(mover_));
}

void ShardWarmer::EndMoving(bool takes_stores) {
  if (mover_ != nullptr) mover_->Stop();
  mover_ = nullptr;  // its task keeps it
  if (takes_stores) shard_->set_takes_stores(true);
}

PreviousOwners ShardWarmer::PreviousOwnersOf(NamespaceId name_space, const wire::KeyRef& key) const {
  std::array<uint8_t, kMaxFramedIdentityBytes> buffer;
  const ByteView framed =
      FrameIdentity(shard_->store()->namespaces().At(name_space).framed, key.group, 0, key.key, &buffer);
  return plan_->PreviousOwnersOf(framed, env_.loop->NowNs());
}

bool ShardWarmer::MayHave(NamespaceId name_space, const wire::KeyRef& key) {
  if (stopping_ || plan_ == nullptr || !plan_->Active(env_.loop->NowNs())) return false;
  return !PreviousOwnersOf(name_space, key).empty();
}

std::vector<std::pair<std::shared_ptr<PeerNode>, ShardWarmer::Which>> ShardWarmer::ByPeer(const PeerQuestion& question,
                                                                                          const Which& which,
                                                                                          size_t first, size_t end) {
  std::map<uint64_t, std::pair<std::shared_ptr<PeerNode>, Which>> by_id;
  for (const uint32_t i : which) {
    const PreviousOwners owners = PreviousOwnersOf(question.name_space, question.keys[i]);
    for (size_t rank = first; rank < std::min(end, owners.size()); ++rank) {
      auto& [peer, keys] = by_id[owners[rank]->id];
      if (peer == nullptr) peer = peers_.At(*owners[rank]);
      keys.push_back(i);
    }
  }
  std::vector<std::pair<std::shared_ptr<PeerNode>, Which>> result;
  for (auto& [id, each] : by_id) {
    if (each.first != nullptr && each.first->MayAsk()) {
      result.push_back(std::move(each));
    } else {
      counters_.held_back += each.second.size();
    }
  }
  return result;
}

Task<void> ShardWarmer::Match(const PeerQuestion* question, std::vector<wire::Presence>* found) {
  if (stopping_ || plan_ == nullptr) co_return;
  if (questions_ >= env_.settings.max_questions) {
    counters_.over_limit += question->keys.size();
    co_return;
  }
  ++questions_;
  counters_.asked_keys += question->keys.size();
  TaskScope scope(env_.loop);
  Which all(question->keys.size());
  std::iota(all.begin(), all.end(), 0);
  auto by_peer = ByPeer(*question, all, 0, kMaxPreviousOwners);  // all at once: it costs one round trip
  for (auto& [peer, which] : by_peer) scope.Spawn(MatchAt(peer, question, std::move(which), found));
  co_await scope.Join();
  for (const wire::Presence each : *found) {
    if (each != wire::Presence::kMiss) ++counters_.found_keys;
  }
  --questions_;
}

Task<void> ShardWarmer::MatchAt(std::shared_ptr<PeerNode> peer, const PeerQuestion* question, Which which,
                                std::vector<wire::Presence>* found) {
  Task<absl::Status> greeting = peer->Greet(question->deadline_ns);
  const absl::Status greeted = co_await greeting;
  if (!greeted.ok()) {
    ++counters_.failures;
    co_return;
  }
  std::map<uint16_t, Which> by_shard;
  const std::vector<uint8_t>& framed = shard_->store()->namespaces().At(question->name_space).framed;
  for (const uint32_t i : which) {
    const wire::KeyRef& key = question->keys[i];
    std::array<uint8_t, kMaxFramedIdentityBytes> buffer;
    by_shard[peer->ShardOf(FrameIdentity(framed, key.group, key.part, key.key, &buffer))].push_back(i);
  }
  TaskScope scope(env_.loop);
  for (auto& [shard, part] : by_shard) scope.Spawn(MatchAtShard(peer, shard, question, std::move(part), found));
  co_await scope.Join();
}

Task<void> ShardWarmer::MatchAtShard(std::shared_ptr<PeerNode> peer, uint16_t shard, const PeerQuestion* question,
                                     Which which, std::vector<wire::Presence>* found) {
  Task<absl::StatusOr<LentLink>> lending = peer->Lend(shard, question->deadline_ns);
  absl::StatusOr<LentLink> link = co_await lending;
  if (!link.ok()) {
    ++counters_.failures;
    co_return;
  }
  const NamespaceTable::Info* name_space = &shard_->store()->namespaces().At(question->name_space);
  Task<absl::StatusOr<uint32_t>> opening = (*link)->Open(name_space, question->deadline_ns);
  const absl::StatusOr<uint32_t> opened = co_await opening;
  if (!opened.ok()) {
    ++counters_.failures;
    co_return;
  }
  wire::Match match;
  match.namespace_id = *opened;
  match.lease_ms = std::min(question->lease_ms, kMaxPeerLeaseMs);
  for (const uint32_t i : which) match.keys.push_back(question->keys[i]);
  PeerRequest request{wire::FrameType::kMatch, wire::FrameType::kMatchReply, {}, {}};
  match.Encode(&request.meta);
  MatchSink sink;
  Task<absl::Status> asking = (*link)->Exchange(&request, &sink, question->deadline_ns);
  const absl::Status asked = co_await asking;
  if (!asked.ok() || sink.reply.presence.size() != which.size()) {
    ++counters_.failures;
    co_return;
  }
  for (size_t i = 0; i < which.size(); ++i) {
    if (sink.reply.presence[i] != wire::Presence::kMiss) (*found)[which[i]] = sink.reply.presence[i];
  }
}

// If every block is whole and raw.
uint64_t ShardWarmer::BytesOf(const PeerQuestion& question) const {
  const Layout& layout = *shard_->store()->namespaces().At(question.name_space).layout;
  uint64_t bytes = 0;
  for (const wire::KeyRef& key : question.keys) {
    const GroupSpec& group = layout.groups[key.group];
    bytes += uint64_t{group.SegmentsOfPart(key.part)} * group.SegmentBytes();
  }
  return bytes;
}

Task<void> ShardWarmer::TakeOver(const PeerQuestion* question) {
  if (stopping_ || plan_ == nullptr) co_return;
  const uint64_t bytes = BytesOf(*question);
  const bool over_bytes = fetching_bytes_ > 0 && fetching_bytes_ + bytes > env_.settings.max_fetch_bytes;
  if (questions_ >= env_.settings.max_questions || over_bytes) {
    counters_.over_limit += question->keys.size();
    co_return;
  }
  ++questions_;
  fetching_bytes_ += bytes;
  counters_.wanted_blocks += question->keys.size();
  std::vector<std::shared_ptr<Flight>> of_others;
  std::vector<std::pair<uint64_t, uint64_t>> own;
  Which mine;
  for (uint32_t i = 0; i < question->keys.size(); ++i) {
    const Hash128 hash = shard_->store()->HashOf(question->name_space, question->keys[i]);
    auto [flight, fresh] = flights_.try_emplace({hash.low, hash.high});
    if (fresh) {
      flight->second = std::make_shared<Flight>(env_.loop);
      own.emplace_back(hash.low, hash.high);
      mine.push_back(i);
    } else {
      of_others.push_back(flight->second);
    }
  }
  Task<void> fetching = FetchAll(question, std::move(mine));
  co_await fetching;
  for (const auto& hash : own) {
    const auto flight = flights_.find(hash);
    flight->second->landed.Set();
    flights_.erase(flight);
  }
  for (const std::shared_ptr<Flight>& flight : of_others) {
    const bool landed = co_await flight->landed.WaitUntil(question->deadline_ns);
    if (!landed) break;
  }
  fetching_bytes_ -= bytes;
  --questions_;
}

Task<void> ShardWarmer::FetchAll(const PeerQuestion* question, Which which) {
  BlockStore* store = shard_->store();
  for (size_t rank = 0; rank < kMaxPreviousOwners && !which.empty(); ++rank) {
    if (stopping_ || env_.loop->NowNs() >= question->deadline_ns) co_return;
    auto by_peer = ByPeer(*question, which, rank, rank + 1);
    TaskScope scope(env_.loop);
    for (auto& [peer, keys] : by_peer) scope.Spawn(FetchFrom(peer, question, std::move(keys)));
    co_await scope.Join();
    std::erase_if(which, [&](uint32_t i) {
      const BlockId id = store->Find(question->name_space, question->keys[i]);
      return id != kNoBlock && store->IsHere(id);
    });
  }
}

Task<void> ShardWarmer::FetchFrom(std::shared_ptr<PeerNode> peer, const PeerQuestion* question, Which which) {
  FetchOrder order{.peer = std::move(peer),
                   .name_space = question->name_space,
                   .keys = {},
                   .stamp_ns = question->stamp_ns,
                   .deadline_ns = question->deadline_ns};
  for (const uint32_t i : which) order.keys.push_back(question->keys[i]);
  Task<FetchResult> fetching = fetcher_.Fetch(&order);
  const FetchResult result = co_await fetching;
  counters_.taken_blocks += result.taken_blocks;
  counters_.taken_bytes += result.taken_bytes;
  counters_.damaged += result.damaged;
  counters_.failures += result.failures;
}

Task<void> ShardWarmer::Stop() {
  stopping_ = true;
  if (mover_ != nullptr) mover_->Stop();
  mover_ = nullptr;
  plan_changed_.Set();
  peers_.Close();
  co_await tasks_.Join();
}

}  // namespace incipit
