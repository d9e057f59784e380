// The record of what was refused: who, from where, what, why. Bounded, so that refusals cannot fill a disk or slow the
// shard: past the limit they are only counted, and the next line says how many were left out.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace incipit {

// Takes one finished line "event=... key=value ...". Any thread may call it, several at once.
using AuditSink = std::function<void(const std::string& line)>;

inline constexpr uint32_t kAuditBurstLines = 20;
inline constexpr int64_t kAuditLineNs = 100'000'000;  // one more line may be written per so long

struct Refusal {
  std::string_view event;   // "auth_refused", "request_refused"
  std::string_view peer;    // address
  std::string_view tenant;  // as claimed or as proven; escaped and cut here
  std::string_view cause;   // ours, never holds what a client sent nor a secret
};

// One thread.
class AuditLog {
 public:
  // Without a sink it only counts.
  explicit AuditLog(AuditSink sink) : sink_(std::move(sink)) {}
  void Write(const Refusal& refusal, int64_t now_ns);
  uint64_t left_out() const { return left_out_; }

 private:
  AuditSink sink_;
  double lines_ = kAuditBurstLines;  // that may be written now
  int64_t refilled_ns_ = 0;
  uint64_t left_out_ = 0;  // since the last line
};

}  // namespace incipit
