// What one call borrows from Python and what its request points into.
#pragma once

#include <sys/uio.h>

#include <deque>
#include <memory>
#include <vector>

#include "cache/format/identity.h"
#include "client/python/src/py_buffer.h"

namespace incipit::python {

// Kept until the native call has ended, whoever has stopped waiting for it. Made and destroyed under the GIL. Deques,
// because requests hold pointers to elements.
struct CallMemory {
  std::deque<PyBuffer> buffers;
  std::vector<nb::object> objects;  // keys, regions, packed keys
  std::deque<std::vector<iovec>> pieces;
  std::deque<std::vector<uint8_t>> packed_keys;
  std::deque<std::vector<BlockKey>> keys;
};

}  // namespace incipit::python
