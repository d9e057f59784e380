#include "cluster/node/node_drain.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "cache/base/status_macros.h"
#include "spdlog/spdlog.h"

namespace incipit {
namespace {

constexpr auto kLook = std::chrono::milliseconds(20);
// How long a process that is to end stays, so that whoever asked for the drain learns how it went.
constexpr auto kLinger = std::chrono::seconds(2);

void Add(const wire::DrainCount& from, wire::DrainCount* to) {
  to->blocks += from.blocks;
  to->bytes += from.bytes;
}

wire::DrainProgress Sum(const std::vector<std::shared_ptr<MoveBoard>>& boards) {
  wire::DrainProgress sum;
  for (const auto& board : boards) {
    const wire::DrainProgress each = board->Read();
    Add(each.total, &sum.total);
    Add(each.moved, &sum.moved);
    Add(each.present, &sum.present);
    Add(each.unwanted, &sum.unwanted);
    Add(each.lost, &sum.lost);
  }
  return sum;
}

bool AllDone(const std::vector<std::shared_ptr<MoveBoard>>& boards) {
  return std::all_of(boards.begin(), boards.end(), [](const auto& board) { return board->done.load(); });
}

}  // namespace

absl::Status NodeDrain::Check() const {
  const std::shared_ptr<const ClusterMap> map = hooks_.map();
  const ClusterNode* self = map == nullptr ? nullptr : map->Find(node_id_);
  if (self == nullptr) return absl::FailedPreconditionError("drain: the cluster's map does not have this node (yet)");
  const bool others = std::any_of(map->nodes.begin(), map->nodes.end(), [&](const ClusterNode& node) {
    return node.id != node_id_ && node.state == NodeState::kServing;
  });
  if (others) return absl::OkStatus();
  return absl::FailedPreconditionError("drain: no other node serves, so nobody could take this one's blocks; stop it");
}

absl::StatusOr<wire::DrainReply> NodeDrain::Drain(const wire::Drain& request) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (stopped_) return absl::FailedPreconditionError("drain: the node is stopping");
  if (request.action == wire::DrainAction::kCancel && state_ == wire::DrainState::kMoving) {
    cancel_ = true;
    changed_.notify_all();
  }
  const bool may_begin = state_ != wire::DrainState::kMoving && state_ != wire::DrainState::kLeft;
  if (request.action == wire::DrainAction::kBegin && may_begin) {
    RETURN_IF_ERROR(Check());
    if (thread_.joinable()) thread_.join();  // of an earlier one: it has ended
    state_ = wire::DrainState::kMoving;
    timed_out_ = cancel_ = false;
    message_.clear();
    boards_.clear();
    began_ = Clock::now();
    thread_ = std::thread([this, request] { Run(request); });
  }
  return ReportLocked();
}

wire::DrainReply NodeDrain::Report() {
  const std::lock_guard<std::mutex> lock(mutex_);
  return ReportLocked();
}

wire::DrainReply NodeDrain::ReportLocked() const {
  wire::DrainReply reply;
  reply.state = state_;
  if (state_ == wire::DrainState::kNone) return reply;
  reply.timed_out = timed_out_;
  const Clock::time_point until = state_ == wire::DrainState::kMoving ? Clock::now() : ended_;
  const auto elapsed_ms = std::chrono::duration_cast<std::chrono::milliseconds>(until - began_).count();
  reply.elapsed_ms = static_cast<uint32_t>(std::clamp<int64_t>(elapsed_ms, 0, UINT32_MAX));
  reply.progress = Sum(boards_);
  reply.message = message_;
  return reply;
}

void NodeDrain::Stop() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stopped_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

// What is to be done next, when its time has come; nothing once the drain is stopped.
std::optional<DrainStep> NodeDrain::Await(DrainSteps* steps) {
  std::unique_lock<std::mutex> lock(mutex_);
  while (!stopped_) {
    const auto since_ms = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - began_).count();
    const DrainStep step = steps->Next(hooks_.map().get(), AllDone(boards_), cancel_, since_ms);
    if (step != DrainStep::kWait) return step;
    changed_.wait_for(lock, kLook);
  }
  return std::nullopt;
}

void NodeDrain::End(wire::DrainState state, std::string message) {
  const std::lock_guard<std::mutex> lock(mutex_);
  state_ = state;
  message_ = std::move(message);
  ended_ = Clock::now();
  const wire::DrainProgress progress = Sum(boards_);
  spdlog::info(
      "event=drain_ended state={} blocks={} moved={} present={} unwanted={} lost={} moved_bytes={} message=\"{}\"",
      wire::DrainStateName(state), progress.total.blocks, progress.moved.blocks, progress.present.blocks,
      progress.unwanted.blocks, progress.lost.blocks, progress.moved.bytes, message_);
}

void NodeDrain::Run(wire::Drain request) {
  spdlog::info("event=drain_began timeout_ms={} bytes_per_s={}", request.timeout_ms, request.bytes_per_s);
  DrainSteps steps(node_id_, /*now_ms=*/0, request.timeout_ms);
  hooks_.set_state(NodeState::kDraining);
  std::optional<DrainStep> step = Await(&steps);
  if (step == DrainStep::kBeginMoving) {
    std::vector<std::shared_ptr<MoveBoard>> boards = hooks_.begin_moving(request.bytes_per_s);
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      boards_ = std::move(boards);
    }
    step = Await(&steps);
  }
  if (!step.has_value()) return;
  const bool serves_again = *step == DrainStep::kServeAgain;
  if (steps.moving()) hooks_.end_moving(/*takes_stores=*/serves_again);
  bool cancelled = false;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    cancelled = cancel_;
    timed_out_ = steps.timed_out();
  }
  if (serves_again) {
    hooks_.set_state(NodeState::kServing);
    if (cancelled) return End(wire::DrainState::kCancelled, "the node serves again");
    return End(wire::DrainState::kFailed, "the cluster's map did not say that the node is draining: is Redis there?");
  }
  hooks_.leave();
  End(wire::DrainState::kLeft, "");
  if (!request.exit) return;
  std::unique_lock<std::mutex> lock(mutex_);
  changed_.wait_for(lock, kLinger, [this] { return stopped_; });
  if (stopped_) return;
  lock.unlock();
  hooks_.exit();
}

}  // namespace incipit
