// One worker of the single-flight campaign, in a process of its own: needs a prompt's blocks, computes at a stated pace
// what nobody else computes, streams the rest behind the one who does, and compares every byte.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "incipit/client.h"

namespace incipit::campaign {

struct FlightPlanOfRun {
  uint64_t blocks = 1024;      // of 64 tokens
  uint64_t step_blocks = 16;   // computed, and stored, at once
  double compute_ms = 3000;    // of the whole prompt
  uint32_t claim_ms = 30'000;  // a death is noticed by its connection
  uint64_t prompt = 1;         // other prompts have other keys and bytes
};

// In memory that all processes share; each worker writes its own.
struct FlightReport {
  std::atomic<uint32_t> ready{0}, computing{0}, done{0}, failed{0};
  std::atomic<uint64_t> computed{0}, loaded{0}, wrong{0}, waits{0}, claims{0};
  std::atomic<double> done_ms{0};  // on the scale of NowMs
};

Layout FlightLayout();  // 4 KiB blocks of 64 tokens
std::vector<uint8_t> FlightKey(uint64_t prompt, uint64_t index);

class FlightWorker {
 public:
  FlightWorker(FlightPlanOfRun plan, FlightReport* report);

  // Connects, says that it is ready, waits for `go` and works until it has all blocks. False: what went wrong is
  // printed.
  bool Run(const std::string& address, const std::atomic<uint32_t>* go);

 private:
  bool Work();
  absl::StatusOr<MatchResult> Match();
  absl::StatusOr<MatchResult> Wait();
  // Loads up to `blocks`; stops at the first that is not there any more. False: a wrong byte.
  bool LoadUpTo(uint64_t blocks);
  // Computes until all is there, renewing the claim.
  bool Compute(Claim claim);

  FlightPlanOfRun plan_;
  FlightReport* report_;
  uint64_t block_bytes_;
  std::vector<uint8_t> keys_;  // packed
  std::unique_ptr<Client> client_;
  uint64_t have_ = 0;  // blocks
};

}  // namespace incipit::campaign
