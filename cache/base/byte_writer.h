// Appends little-endian fields to a byte vector that it borrows. The counterpart of ByteReader.
#pragma once

#include <concepts>
#include <cstring>
#include <string_view>
#include <vector>

#include "cache/base/bytes.h"

namespace incipit {

class ByteWriter {
 public:
  explicit ByteWriter(std::vector<uint8_t>* out) : out_(out) {}

  template <std::unsigned_integral T>
  void Write(T value) {
    const size_t at = out_->size();
    out_->resize(at + sizeof(T));
    std::memcpy(out_->data() + at, &value, sizeof(T));
  }
  void WriteBytes(ByteView bytes) { out_->insert(out_->end(), bytes.begin(), bytes.end()); }
  // A u16 length, then the bytes. REQUIRES: text.size() <= 65535.
  void WriteText(std::string_view text) {
    Write(static_cast<uint16_t>(text.size()));
    WriteBytes(AsBytes(text));
  }
  void WriteZeros(size_t count) { out_->resize(out_->size() + count, 0); }

  // Overwrites a field written earlier, for lengths and checksums known only later.
  template <std::unsigned_integral T>
  void Patch(size_t at, T value) {
    std::memcpy(out_->data() + at, &value, sizeof(T));
  }
  size_t size() const { return out_->size(); }

 private:
  std::vector<uint8_t>* out_;
};

}  // namespace incipit
