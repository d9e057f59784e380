#include "bench/workloads/session_workload.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <numbers>
#include <queue>

#include "cache/base/status_macros.h"
#include "cache/seams/random.h"

namespace incipit::bench {
namespace {

constexpr double kMostTokens = 1 << 20;  // of one prompt; a session that would exceed it ends

struct Session {
  const SessionProfile* profile = nullptr;
  std::vector<uint64_t> ids;  // of full blocks
  uint64_t tokens = 0;
  uint64_t output_tokens = 0;
};

struct Event {
  double time_s;
  uint64_t number;  // of events so far: those of one time come in the order in which they were made
  size_t profile;   // an arrival of this profile, if session is null
  std::shared_ptr<Session> session;
  bool operator<(const Event& other) const {  // the earliest is the greatest
    return time_s != other.time_s ? time_s > other.time_s : number > other.number;
  }
};

class Generator {
 public:
  Generator(const std::vector<SessionProfile>& profiles, uint64_t seed, uint32_t block_tokens,
            const TraceVisitor& visit)
      : profiles_(profiles), block_tokens_(block_tokens), visit_(visit), random_(MakeSeededRandom(seed)) {}

  absl::Status Run() {
    for (size_t i = 0; i < profiles_.size(); ++i) {
      openings_.emplace_back(std::max<uint32_t>(1, profiles_[i].shared_openings));
      committed_s_.emplace_back(openings_.back().size(), profiles_[i].start_s);
      for (std::vector<uint64_t>& opening : openings_.back()) {
        opening.resize(profiles_[i].shared_tokens / block_tokens_);
        for (uint64_t& id : opening) id = next_id_++;
      }
      ScheduleArrival(i, profiles_[i].start_s);
    }
    while (!events_.empty()) {
      const Event event = events_.top();
      events_.pop();
      if (event.session != nullptr) {
        RETURN_IF_ERROR(Turn(event));
        continue;
      }
      ScheduleArrival(event.profile, event.time_s);
      RETURN_IF_ERROR(Turn({event.time_s, 0, event.profile, Begin(event.profile, event.time_s)}));
    }
    return absl::OkStatus();
  }

 private:
  double Uniform() { return (static_cast<double>(random_->Next() >> 11) + 0.5) / 9007199254740992.0; }  // 2^53
  double Exponential(double mean) { return -mean * std::log(Uniform()); }
  double Draw(const LogNormal& law) {
    if (law.sigma <= 0) return law.median;
    const double normal =
        std::sqrt(-2 * std::log(Uniform())) * std::cos(2 * std::numbers::pi * Uniform());  // Box and Muller
    return std::min(law.most, law.median * std::exp(law.sigma * normal));
  }

  void Schedule(double time_s, size_t profile, std::shared_ptr<Session> session) {
    events_.push({time_s, ++events_made_, profile, std::move(session)});
  }
  void ScheduleArrival(size_t profile, double now_s) {
    const double time_s = now_s + Exponential(1 / profiles_[profile].sessions_per_s);
    if (time_s < profiles_[profile].end_s) Schedule(time_s, profile, nullptr);
  }

  // Popularity falls as 1/k: the inverse of its distribution, which is close to a logarithm.
  size_t PickOpening(size_t count) {
    const double rank = std::exp(Uniform() * std::log(static_cast<double>(count) + 1)) - 1;
    return std::min(count - 1, static_cast<size_t>(rank));
  }

  std::shared_ptr<Session> Begin(size_t number, double now_s) {
    const SessionProfile& profile = profiles_[number];
    const size_t pick = PickOpening(openings_[number].size());
    std::vector<uint64_t>& opening = openings_[number][pick];
    double& committed_s = committed_s_[number][pick];
    while (profile.commits_per_s > 0 && !opening.empty()) {
      const double next_s = committed_s + Exponential(1 / profile.commits_per_s);
      committed_s = std::min(next_s, now_s);
      if (next_s > now_s) break;
      const size_t from = random_->Below(opening.size());
      for (size_t i = from; i < opening.size(); ++i) opening[i] = next_id_++;
    }
    auto session = std::make_shared<Session>();
    session->profile = &profile;
    session->ids = opening;
    session->tokens = opening.size() * block_tokens_;
    Grow(session.get(), Draw(profile.first_tokens));
    return session;
  }

  void Grow(Session* session, double tokens) {
    session->tokens += static_cast<uint64_t>(std::max(1.0, tokens));
    while (session->ids.size() < session->tokens / block_tokens_) session->ids.push_back(next_id_++);
  }

  absl::Status Turn(const Event& event) {
    Session& session = *event.session;
    const SessionProfile& profile = *session.profile;
    session.output_tokens = static_cast<uint64_t>(std::max(1.0, Draw(profile.output_tokens)));
    TraceRequest request{static_cast<uint64_t>(event.time_s * 1000), session.tokens, session.output_tokens,
                         session.ids};
    // What does not fill a block has an id of its own: with the next turn the block's content is another.
    if (session.tokens % block_tokens_ != 0) request.ids.push_back(next_id_++);
    RETURN_IF_ERROR(visit_(request));
    if (Uniform() * profile.turns < 1) return absl::OkStatus();
    const bool tool = profile.steps_per_pause > 0 && Uniform() * profile.steps_per_pause >= 1;
    Grow(&session, static_cast<double>(session.output_tokens) + Draw(profile.turn_tokens));
    if (static_cast<double>(session.tokens) > kMostTokens) return absl::OkStatus();
    Schedule(event.time_s + Draw(tool ? profile.tool_s : profile.pause_s), event.profile, event.session);
    return absl::OkStatus();
  }

  const std::vector<SessionProfile>& profiles_;
  uint32_t block_tokens_;
  const TraceVisitor& visit_;
  std::unique_ptr<Random> random_;
  std::priority_queue<Event> events_;
  uint64_t events_made_ = 0;
  uint64_t next_id_ = 1;
  std::vector<std::vector<std::vector<uint64_t>>> openings_;  // by profile, by opening: ids of its blocks
  std::vector<std::vector<double>> committed_s_;              // until when commits were drawn
};

}  // namespace

absl::Status GenerateSessions(const std::vector<SessionProfile>& profiles, uint64_t seed, uint32_t block_tokens,
                              const TraceVisitor& visit) {
  return Generator(profiles, seed, block_tokens, visit).Run();
}

}  // namespace incipit::bench
