// The type of a buffer's elements, in DLPack's terms.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace incipit::python {

// `code` is a DLPack type code; kUnknownCode for what DLPack has no name for. Plain value.
struct ElementType {
  static constexpr uint8_t kUnknownCode = 0xff;
  uint8_t code = kUnknownCode;
  uint8_t bits = 0;

  bool IsUint8() const { return *this == ElementType{1, 8}; }
  friend bool operator==(const ElementType&, const ElementType&) = default;

  // "bfloat16", "float8_e4m3fn", "uint8" ...: as NumPy and torch call it.
  std::string Name() const;
  static std::optional<ElementType> FromName(const std::string& name);
  // Of a format string of the struct module, as buffers carry it; nullptr means unsigned bytes.
  static ElementType FromFormat(const char* format, size_t item_bytes);
};

}  // namespace incipit::python
