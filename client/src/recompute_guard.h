// Keeps loading from being slower than computing again: remembers how fast loads were and predicts the next one.
#pragma once

#include <cstdint>

namespace incipit {

// One thread. Without a prefill rate (0) it judges everything worth loading. Estimates are moving averages; while
// nothing new is learnt they grow more hopeful, doubling every ten seconds, so that a tier once found slow is tried
// again.
class RecomputeGuard {
 public:
  explicit RecomputeGuard(double prefill_tokens_per_s) : prefill_tokens_per_s_(prefill_tokens_per_s) {}

  bool enabled() const { return prefill_tokens_per_s_ > 0; }

  // A request and its answer without payload took `elapsed_ns`.
  void OnRoundTrip(int64_t elapsed_ns);
  // A load brought so many bytes from each tier in `elapsed_ns`. Loads too small to tell a rate are left out.
  void OnLoad(uint64_t ram_bytes, uint64_t nvme_bytes, int64_t elapsed_ns, int64_t now_ns);

  struct Verdict {
    bool worth_loading = true;
    int64_t load_ns = 0;
    int64_t recompute_ns = 0;
  };
  // Of loading so many bytes against computing `tokens` tokens.
  Verdict Judge(uint64_t tokens, uint64_t ram_bytes, uint64_t nvme_bytes, int64_t now_ns) const;
  // REQUIRES: enabled().
  int64_t RecomputeNs(uint64_t tokens) const;

 private:
  // Moving average of a rate in bytes per nanosecond.
  struct Rate {
    double bytes_per_ns = 0;  // 0 = nothing known
    int64_t learnt_ns = 0;
    void Learn(double sample, int64_t now_ns);
    double TimeFor(uint64_t bytes, int64_t now_ns) const;
  };
  double prefill_tokens_per_s_;
  double round_trip_ns_ = 0;
  Rate ram_, nvme_;
};

}  // namespace incipit
