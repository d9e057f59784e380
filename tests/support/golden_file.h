// Golden files: bytes that a format wrote when it was made, which every later build must still write and read.
// INCIPIT_WRITE_GOLDEN=1 in the environment writes them anew; that is right only with a new format version.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>

#include "absl/strings/str_format.h"
#include "cache/base/bytes.h"

namespace incipit::golden {

inline bool Writing() {
  const char* value = std::getenv("INCIPIT_WRITE_GOLDEN");
  return value != nullptr && std::string_view(value) == "1";
}

// Lines of offset and up to 16 bytes, as people read them.
inline std::string HexDump(ByteView bytes) {
  std::string text;
  for (size_t at = 0; at < bytes.size(); at += 16) {
    absl::StrAppendFormat(&text, "%04x ", at);
    for (const uint8_t byte : bytes.subspan(at, std::min<size_t>(16, bytes.size() - at))) {
      absl::StrAppendFormat(&text, " %02x", byte);
    }
    text += '\n';
  }
  return text;
}

inline std::string Hex(ByteView bytes) {
  std::string text;
  for (const uint8_t byte : bytes) absl::StrAppendFormat(&text, "%02x", byte);
  return text;
}

// Compares `text` with tests/golden/`name`.
inline void ExpectFile(const std::string& name, const std::string& text) {
  const std::string path = std::string(INCIPIT_SOURCE_DIR) + "/tests/golden/" + name;
  if (Writing()) {
    std::ofstream(path) << text;
    return;
  }
  std::ifstream file(path);
  ASSERT_TRUE(file.is_open()) << path << " is missing: write it with INCIPIT_WRITE_GOLDEN=1";
  std::ostringstream stored;
  stored << file.rdbuf();
  EXPECT_EQ(stored.str(), text) << path << ": this build writes other bytes than the format says";
}

}  // namespace incipit::golden
