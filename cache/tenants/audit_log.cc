#include "cache/tenants/audit_log.h"

#include <algorithm>

#include "absl/strings/escaping.h"
#include "cache/base/types.h"
#include "fmt/format.h"

namespace incipit {

void AuditLog::Write(const Refusal& refusal, int64_t now_ns) {
  const auto gained = static_cast<double>(now_ns - refilled_ns_) / static_cast<double>(kAuditLineNs);
  lines_ = std::min<double>(kAuditBurstLines, lines_ + std::max(gained, 0.0));
  refilled_ns_ = now_ns;
  if (lines_ < 1 || !sink_) {
    ++left_out_;
    return;
  }
  lines_ -= 1;
  // A name comes from outside: without escapes it could end the line and forge another.
  std::string line = fmt::format("event={} peer={} tenant=\"{}\" cause=\"{}\"", refusal.event, refusal.peer,
                                 absl::CEscape(std::string(refusal.tenant.substr(0, kMaxNameBytes))), refusal.cause);
  if (left_out_ > 0) line += fmt::format(" left_out={}", left_out_);
  left_out_ = 0;
  sink_(line);
}

}  // namespace incipit
