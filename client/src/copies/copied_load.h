// A load of blocks of which some are at several nodes: spread over these, and asked for once more at another where the
// first does not give a block, or takes too long.
#pragma once

#include "client/src/core/call_context.h"

namespace incipit {

// As LoadOnce, which it calls for each try. Blocks that are at their owner only are asked for there, with all the time
// there is, beside the others. Of the others each try but the last has a part of the time: kHedgeFactor times as long
// as it is expected to take, at least kHedgeMinMs, at most half of what is left. A try that is given up has ended when
// the next begins, as both write to the same memory.
Task<LoadResult> LoadFromCopies(CallContext* context, std::shared_ptr<ShardSet> shards, const LoadRequest* request,
                                int64_t deadline_ns);

}  // namespace incipit
