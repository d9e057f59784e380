// Writing of texts of any length into a meta.
#pragma once

#include <string_view>

#include "cache/base/byte_writer.h"

namespace incipit::wire {

// The longest start of `text` with at most `limit` bytes that does not end inside a UTF-8 character.
inline std::string_view CutText(std::string_view text, size_t limit) {
  if (text.size() <= limit) return text;
  size_t end = limit;
  while (end > 0 && limit - end < 4 && (static_cast<uint8_t>(text[end]) & 0xc0) == 0x80) --end;
  return text.substr(0, end);
}

// A text over 65,535 bytes is cut to that: its length field must stay true. The peer refuses it.
inline void WriteTextCut(ByteWriter* writer, std::string_view text) { writer->WriteText(text.substr(0, 65535)); }

}  // namespace incipit::wire
