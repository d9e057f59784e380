// Memory of a Python object, pinned.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <cstdint>
#include <vector>

#include "client/python/src/element_type.h"
#include "client/python/src/errors.h"

namespace incipit::python {

enum class Access { kRead, kWrite };

// The whole of one C-contiguous buffer on the host: of the buffer protocol, or of DLPack for objects without it (torch,
// whose bfloat16 no buffer format can name). While this lives, its exporter neither frees nor moves the bytes.
// Made and destroyed under the GIL; data() may be used without it. Not movable: a Py_buffer may point into itself.
class PyBuffer {
 public:
  // Throws BufferMismatch (no buffer, not contiguous, not writable), UnsupportedDevice.
  PyBuffer(nb::handle object, Access access, const Where& where);
  ~PyBuffer();
  PyBuffer(const PyBuffer&) = delete;
  PyBuffer& operator=(const PyBuffer&) = delete;

  uint8_t* data() const { return data_; }
  size_t bytes() const { return bytes_; }
  bool writable() const { return writable_; }
  ElementType type() const { return type_; }
  const std::vector<size_t>& shape() const { return shape_; }

 private:
  void TakeView(const Where& where, Access access);
  void TakeTensor(nb::handle object, const Where& where, Access access);

  Py_buffer view_{};
  bool has_view_ = false;
  nb::ndarray<nb::ro> tensor_;
  uint8_t* data_ = nullptr;
  size_t bytes_ = 0;
  bool writable_ = false;
  ElementType type_;
  std::vector<size_t> shape_;
};

// InvalidArgument's buffer kind of error unless the buffer's elements are bytes or of the type that a client was told
// to insist on.
void CheckElementType(const PyBuffer& buffer, const std::optional<ElementType>& required, const Where& where);

}  // namespace incipit::python
