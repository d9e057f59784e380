// Match: one round trip to all shards in parallel, then the lengths that can be restored.
#pragma once

#include "client/src/core/call_context.h"

namespace incipit {

// InvalidArgument if the groups or keys of a Match or Wait do not fit the layout.
absl::Status CheckGroups(const Layout& layout, const std::vector<KeyList>& groups);

// The context must outlive the task. See Client::Match.
Task<absl::StatusOr<MatchResult>> RunMatch(CallContext* context, MatchRequest request);

}  // namespace incipit
