// The settings of UCX that the lane fixes, and why. Nothing is taken from the environment.
#pragma once

#include "absl/status/statusor.h"
#include "transport/ucx/ucx_address.h"
#include "transport/ucx/ucx_api.h"

namespace incipit {

// UCX's own keepalive: a peer whose machine is gone is noticed within these two together. A peer that is merely stopped
// is not; that is for the deadlines of callers and the stall watch of sessions.
inline constexpr int kUcxKeepaliveSeconds = 5;
inline constexpr int kUcxKeepaliveProbes = 3;

// A context with active messages and wake-up only. Unavailable: what UCX says, and with which settings.
absl::StatusOr<ucp_context_h> MakeUcxContext(const UcxApi* api, const UcxSettings& settings);

}  // namespace incipit
