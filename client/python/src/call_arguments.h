// Python's arguments made into requests of the C++ client. Everything here needs the GIL and throws typed errors:
// InvalidArgument for groups, depths and keys, BufferMismatch and UnsupportedDevice for buffers.
#pragma once

#include <optional>
#include <vector>

#include "client/python/src/call_memory.h"
#include "client/python/src/errors.h"
#include "incipit/client.h"

namespace incipit::python {

// Key lists by group: PackedKeys, 2-D arrays of bytes (both without a copy), or sequences of bytes objects.
std::vector<KeyList> ToKeyLists(nb::handle groups, const Layout& layout, CallMemory* memory);

// Tuples that begin with (group, depth_tokens, key).
std::vector<BlockName> ToNames(nb::handle names, const char* call, const Layout& layout, CallMemory* memory);

struct BlockRules {
  const char* call = "";
  const Layout* layout = nullptr;
  Access access = Access::kRead;
  std::optional<ElementType> element_type;  // required of buffers that are not bytes
  uint16_t first_segment = 0;
  uint16_t segment_count = wire::kAllSegments;
};

// Tuples (group, depth_tokens, key, buffer) with buffers of exactly the bytes of the range.
std::vector<LoadItem> ToItems(nb::handle blocks, const BlockRules& rules, CallMemory* memory);

}  // namespace incipit::python
