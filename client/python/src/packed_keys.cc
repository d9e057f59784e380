#include "client/python/src/packed_keys.h"

#include <fmt/format.h>

namespace incipit::python {

void CheckKeyBytes(size_t key_bytes, const Where& where) {
  if (key_bytes >= 1 && key_bytes <= kMaxKeyBytes) return;
  where.Fail(ErrorKind::kInvalidArgument,
             fmt::format("key: expected 1 to {} bytes, found {}", kMaxKeyBytes, key_bytes));
}

PackedKeys::PackedKeys(nb::handle buffer, size_t key_bytes) : key_bytes_(key_bytes) {
  const Where where{"PackedKeys"};
  CheckKeyBytes(key_bytes, where);
  buffer_ = std::make_shared<PyBuffer>(buffer, Access::kRead, where);
  if (buffer_->bytes() % key_bytes != 0) {
    where.Fail(ErrorKind::kBufferMismatch,
               fmt::format("buffer: expected a multiple of {} bytes, found {}", key_bytes, buffer_->bytes()));
  }
  data_ = buffer_->data();
  count_ = buffer_->bytes() / key_bytes;
}

PackedKeys PackedKeys::Slice(size_t first, size_t count) const {
  PackedKeys slice = *this;
  slice.data_ += first * key_bytes_;
  slice.count_ = count;
  return slice;
}

}  // namespace incipit::python
