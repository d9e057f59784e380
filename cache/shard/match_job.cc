#include "cache/shard/match_job.h"

#include <algorithm>

#include "cache/base/status_macros.h"
#include "cache/shard/checked_request.h"
#include "cache/shard/session_recording.h"

namespace incipit {
namespace {

constexpr int64_t kMillisecondNs = 1'000'000;

}  // namespace

MatchJob::MatchJob(Session* session, uint64_t request_id)
    : session_(session), shard_(session->shard()), request_id_(request_id), received_ns_(shard_->loop()->NowNs()) {}

absl::Status MatchJob::Look(ByteView meta) {
  ASSIGN_OR_RETURN(const Checked<wire::Match> request, DecodeChecked<wire::Match>(*session_, Role::kRead, meta));
  name_space_ = request.name_space;
  lease_ms_ = request.message.lease_ms;
  LookUp(request.message, request.name_space);
  if (!session_->is_peer() && shard_->peers() != nullptr) KeepMissing(request.message, meta);
  return absl::OkStatus();
}

void MatchJob::LookUp(const wire::Match& match, NamespaceId name_space) {
  BlockStore* store = shard_->store();
  ShardCounters* counters = shard_->counters();
  const bool of_client = !session_->is_peer();
  stamp_ns_ = shard_->ClampStamp(match.stamp_ns);
  reply_.presence.resize(match.keys.size(), wire::Presence::kMiss);
  SessionRecording recording(of_client ? shard_->options().recorder.get() : nullptr,
                             store->namespaces().At(name_space));
  hits_.reserve(match.keys.size());
  used_.reserve(match.keys.size());
  FindAll(store, name_space, match.keys, [&](size_t index, BlockId id, const Hash128& hash) {
    used_.push_back(hash.low);
    recording.Add(match.keys[index], hash);
    if (id == kNoBlock) return;
    reply_.presence[index] = store->PresenceOf(id);
    if (reply_.presence[index] == wire::Presence::kMiss) return;
    hits_.push_back({id, hash.low});
    if (of_client && reply_.presence[index] == wire::Presence::kNvme) ++counters->match_hits_nvme;
    if (of_client) MarkHot(match.keys.size(), index, id);
  });
  if (of_client) {
    recording.Note(stamp_ns_, received_ns_);
    ++counters->matches;
    counters->match_keys += match.keys.size();
    counters->match_hits += hits_.size();
    store->namespaces().CountMatch(name_space, match.keys.size(), hits_.size());
  }
  if (lease_ms_ > 0 && !hits_.empty()) GrantLease();
}

void MatchJob::GrantLease() {
  std::vector<BlockId> ids;
  ids.reserve(hits_.size());
  for (const Hit& hit : hits_) ids.push_back(hit.id);
  reply_.lease_ms = std::min(lease_ms_, shard_->options().limits.max_lease_ms);
  reply_.lease_id = shard_->AddLease(session_->id(), reply_.lease_ms, std::move(ids));
  if (reply_.lease_id == 0) reply_.lease_ms = 0;
}

// What is not pinned may have gone while the answer was sent, and its number may be another block's.
void MatchJob::NoteUse() {
  if (session_->is_peer()) return;
  BlockStore* store = shard_->store();
  std::vector<BlockId> ids;
  ids.reserve(hits_.size());
  for (const Hit& hit : hits_) {
    if (store->IsHere(hit.id) && store->At(hit.id).hash.low == hit.hash) ids.push_back(hit.id);
  }
  store->TouchAll(ids, stamp_ns_);
  store->NoteUses(name_space_, used_, stamp_ns_);
}

// Tells the client how many copies the block should have, if it is hot.
void MatchJob::MarkHot(size_t keys, size_t index, BlockId id) {
  if (!session_->knows_hot_copies()) return;
  const uint8_t copies = shard_->heat()->CopiesOf(id, received_ns_);
  if (copies == 0) return;
  reply_.copies.resize(keys);
  reply_.copies[index] = copies;
  if (session_->takes_turns()) {
    reply_.turns.resize(keys);
    reply_.turns[index] = shard_->heat()->TakeTurn(id, shard_->store()->At(id).stored_bytes);
  }
  ++shard_->counters()->hot_marks;
}

// The keys are views of a frame that will be gone while others are asked.
void MatchJob::KeepMissing(const wire::Match& match, ByteView meta) {
  for (size_t i = 0; i < match.keys.size(); ++i) {
    if (reply_.presence[i] != wire::Presence::kMiss) continue;
    if (!shard_->peers()->MayHave(name_space_, match.keys[i])) continue;
    if (meta_.empty()) meta_.assign(meta.begin(), meta.end());
    wire::KeyRef key = match.keys[i];
    key.key = ByteView(meta_).subspan(static_cast<size_t>(key.key.data() - meta.data()), key.key.size());
    missing_.push_back(static_cast<uint32_t>(i));
    elsewhere_.push_back(key);
  }
}

Task<void> MatchJob::AskPeers() {
  std::vector<wire::Presence> found(elsewhere_.size(), wire::Presence::kMiss);
  const PeerQuestion question{
      .name_space = name_space_,
      .keys = elsewhere_,
      .lease_ms = lease_ms_,
      .deadline_ns = received_ns_ + int64_t{shard_->options().limits.peer_match_ms} * kMillisecondNs};
  Task<void> asking = shard_->peers()->Match(&question, &found);
  co_await asking;
  ShardCounters* counters = shard_->counters();
  for (size_t i = 0; i < found.size(); ++i) {
    reply_.presence[missing_[i]] = found[i];
    if (found[i] == wire::Presence::kMiss) continue;
    ++counters->match_hits;
    shard_->store()->namespaces().CountMatch(name_space_, 0, 1);
    if (found[i] == wire::Presence::kNvme) ++counters->match_hits_nvme;
  }
}

Task<void> MatchJob::Run() {
  // Asking takes a while, in which what is here may go.
  const bool asks = AsksPeers();
  if (asks) {
    NoteUse();
    Task<void> asking = AskPeers();
    co_await asking;
  }
  std::vector<uint8_t> out;
  reply_.Encode(&out);
  shard_->counters()->match_latency.Record(shard_->loop()->NowNs() - received_ns_);
  Task<void> replying = session_->Reply(wire::FrameType::kMatchReply, request_id_, std::move(out));
  co_await replying;
  if (!asks) NoteUse();
}

}  // namespace incipit
