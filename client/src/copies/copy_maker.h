// Makes copies of hot blocks: a client that has just loaded one stores it at another node, unless somebody else does.
// decision 021.
#pragma once

#include "client/src/core/call_context.h"

namespace incipit {

// Of the blocks that `request` has loaded whole, those that are hot and lack a copy: of each, one copy at one of the
// nodes that lack it, claimed there first, so that one client of many stores it. Takes the bytes at once, and does the
// rest in the background. A block is tried at most once a second by one client; blocks beyond the budget for copying
// are left for another time. Lossy codecs: no copies, as a second pass would change the bytes.
void MakeCopies(CallContext* context, std::shared_ptr<ShardSet> shards, const LoadRequest& request,
                const LoadResult& result);

}  // namespace incipit
