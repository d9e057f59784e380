// What `incipit drain` says of a drain, for people and for scripts. Pure.
#pragma once

#include <cstdint>
#include <string>

#include "client/cli/json_output.h"
#include "transport/wire/node_messages.h"

namespace incipit {

// Blocks and bytes of which it is known what became of them.
wire::DrainCount DoneOf(const wire::DrainProgress& progress);

// One line: how far it is, how fast, how long it will take. `bytes_per_s`: lately, of what was given.
std::string DrainLine(const wire::DrainReply& reply, double bytes_per_s);
// A few lines at the end: what became of the blocks.
std::string DrainSummary(const wire::DrainReply& reply);
Json DrainJson(const std::string& address, const wire::DrainReply& reply, double bytes_per_s);

}  // namespace incipit
