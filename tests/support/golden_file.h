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
#include <vector>

#include "absl/strings/str_format.h"
#include "cache/base/bytes.h"

#ifndef INCIPIT_SOURCE_DIR  // the build sets it; this lets the header compile alone
#define INCIPIT_SOURCE_DIR "."
#endif

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

inline std::string PathOf(const std::string& name) { return std::string(INCIPIT_SOURCE_DIR) + "/tests/golden/" + name; }

// Text of a file of the source tree, for examples in documents; empty if there is none.
inline std::string SourceText(const std::string& path) {
  std::ifstream file(std::string(INCIPIT_SOURCE_DIR) + "/" + path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

// The bytes of a HexDump in tests/golden/`name`; empty if there is none.
inline std::vector<uint8_t> BytesOfDump(const std::string& name) {
  std::ifstream file(PathOf(name));
  std::vector<uint8_t> bytes;
  for (std::string line; std::getline(file, line);) {
    std::istringstream fields(line);
    std::string offset;
    fields >> offset >> std::hex;
    for (unsigned byte; fields >> byte;) bytes.push_back(static_cast<uint8_t>(byte));
  }
  return bytes;
}

// Compares `text` with tests/golden/`name`.
inline void ExpectFile(const std::string& name, const std::string& text) {
  const std::string path = PathOf(name);
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
