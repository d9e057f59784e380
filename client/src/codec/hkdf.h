// HKDF with SHA-256 (RFC 5869), without salt.
#pragma once

#include <string_view>

#include "cache/base/bytes.h"

namespace incipit {

inline constexpr size_t kMaxHkdfBytes = 32;

// Fills `out`, at most kMaxHkdfBytes, with bytes that follow from `secret` for the purpose that `label` and `context`
// name, and that tell nothing about it. Pure; wipes what it needs in between. REQUIRES: one use per label and context.
void HkdfSha256(ByteView secret, std::string_view label, ByteView context, MutableBytes out);

}  // namespace incipit
