// Keys of one length, one after the other.
#pragma once

#include <memory>
#include <string>

#include "client/python/src/py_buffer.h"
#include "incipit/client.h"

namespace incipit::python {

// A view of keys in a buffer, which it pins. Slices share the buffer. Immutable; made and destroyed under the GIL.
class PackedKeys {
 public:
  // Throws InvalidArgument: key_bytes outside 1 to 64; BufferMismatch: not a whole number of keys.
  PackedKeys(nb::handle buffer, size_t key_bytes);

  size_t size() const { return count_; }
  size_t key_bytes() const { return key_bytes_; }
  KeyList list() const { return KeyList(data_, count_, key_bytes_); }
  ByteView all() const { return {data_, count_ * key_bytes_}; }
  // REQUIRES: first + count <= size().
  PackedKeys Slice(size_t first, size_t count) const;

 private:
  PackedKeys() = default;

  std::shared_ptr<PyBuffer> buffer_;
  const uint8_t* data_ = nullptr;
  size_t count_ = 0;
  size_t key_bytes_ = 0;
};

// REQUIRES: the GIL. Throws InvalidArgument unless key_bytes is 1 to 64.
void CheckKeyBytes(size_t key_bytes, const Where& where);

}  // namespace incipit::python
