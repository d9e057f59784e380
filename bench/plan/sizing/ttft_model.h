// When the first token of each request comes: with what the tier holds, and without.
#pragma once

#include <cstdint>

#include "eviction/cost_model.h"

namespace incipit::bench {

// Rates are over 0; infinity is allowed.
struct TtftInputs {
  CostModel cost;
  double flops_per_s = 0;          // of the engine that computes one prompt
  double bytes_per_token = 0;      // as stored
  double raw_bytes_per_token = 0;  // as computed with
  double decode_bytes_per_s = 0;   // of raw bytes, by one engine; 0 = takes no time
  double client_bytes_per_s = 0;   // into one engine
  double network_bytes_per_s = 0;  // out of all nodes together
  double nvme_bytes_per_s = 0;     // read, all nodes together
};

struct TtftRequest {
  uint64_t time_ms = 0;
  uint64_t input_tokens = 0;
  uint64_t hit_tokens = 0;   // at most input_tokens
  uint64_t nvme_tokens = 0;  // of these, that are read from NVMe
};

// Prefill of tokens [a, b) takes cost.Flops(a, b) / flops_per_s. A load ends when four stages have passed its bytes:
// the nodes' network and their drives, each a queue in order of arrival that all requests share, the engine's own link,
// and its decoder, which decodes what has arrived while the rest arrives. Loading and computing do not overlap. A load
// that would take longer than computing the same tokens is declined, as the client does, and takes no bandwidth. Left
// out: waiting for a free engine, decoding. One thread; requests in order of time.
class TtftModel {
 public:
  explicit TtftModel(const TtftInputs& inputs) : inputs_(inputs) {}

  struct Answer {
    double seconds = 0;
    bool loaded = false;
  };
  Answer With(const TtftRequest& request);
  double WithoutSeconds(uint64_t input_tokens) const { return PrefillSeconds(0, input_tokens); }

 private:
  double PrefillSeconds(uint64_t begin, uint64_t end) const {
    return inputs_.cost.Flops(begin, end) / inputs_.flops_per_s;
  }

  TtftInputs inputs_;
  double network_free_s_ = 0, nvme_free_s_ = 0;  // when each queue is empty, on the requests' clock
};

}  // namespace incipit::bench
