// Reads little-endian fields from untrusted bytes. Every read is bounds checked; after the first failed read
// `ok()` stays false and all further reads give zero or empty, so a decoder checks once at its end.
// Not thread safe; holds a view, so the bytes must outlive it. No allocation.
#pragma once

#include <concepts>
#include <cstring>
#include <string_view>

#include "cache/base/bytes.h"

namespace incipit {

class ByteReader {
 public:
  explicit ByteReader(ByteView bytes) : bytes_(bytes) {}

  template <std::unsigned_integral T>
  T Read() {
    T value = 0;
    if (!Need(sizeof(T))) return value;
    std::memcpy(&value, bytes_.data() + offset_, sizeof(T));
    offset_ += sizeof(T);
    return value;
  }
  // A view of the next `count` bytes; empty and !ok() if fewer remain.
  ByteView ReadBytes(size_t count) {
    if (!Need(count)) return {};
    ByteView view = bytes_.subspan(offset_, count);
    offset_ += count;
    return view;
  }
  // A u16 length, then that many bytes; fails if the length is over `limit`.
  std::string_view ReadText(size_t limit) {
    const size_t length = Read<uint16_t>();
    if (length > limit) ok_ = false;
    return AsText(ReadBytes(ok_ ? length : 0));
  }

  bool ok() const { return ok_; }
  bool AtEnd() const { return offset_ == bytes_.size(); }
  size_t offset() const { return offset_; }
  size_t remaining() const { return bytes_.size() - offset_; }

 private:
  bool Need(size_t count) {
    if (count > bytes_.size() - offset_) ok_ = false;
    return ok_;
  }

  ByteView bytes_;
  size_t offset_ = 0;
  bool ok_ = true;
};

}  // namespace incipit
