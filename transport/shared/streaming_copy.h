// Copies memory past the caches. Any thread, no state.
#pragma once

#include <cstddef>
#include <cstdint>

namespace incipit {

// As memcpy, but what is written does not displace what is in the caches and is not read first: for copies whose
// reader sits on another core. All of it is visible to other cores when it returns. Uses the widest stores that the
// machine has. The ranges must not overlap.
void StreamingCopy(uint8_t* to, const uint8_t* from, size_t bytes);

}  // namespace incipit
