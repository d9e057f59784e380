// A buffer pinned once and used piece by piece.
#pragma once

#include "client/python/src/py_buffer.h"

namespace incipit::python {

// An engine has one tensor a layer; a block is one slice of each. Asking Python for a view of every slice would cost
// more than moving it, so the tensor is pinned once and its slices are offsets. Immutable; any thread with the GIL.
class Region {
 public:
  explicit Region(nb::handle object) : buffer_(object, Access::kRead, {"Region"}) {}
  const PyBuffer& buffer() const { return buffer_; }

 private:
  PyBuffer buffer_;
};

}  // namespace incipit::python
