// Turns a directory into the prompt that a coding agent would send: all its text files, one after the other.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace incipit::bench {

struct PromptFile {
  std::string name;          // relative to the directory
  uint64_t text_offset = 0;  // of the file's own text within the prompt
  uint64_t text_bytes = 0;
};

// Plain data.
struct Prompt {
  std::string text;
  std::vector<PromptFile> files;
};

// Files in order of their names, each after a line that names it. Left out: what is not text (a zero byte), files over
// 1 MiB, hidden files and folders, folders named build, and whatever would make the prompt longer than `max_bytes`.
// NotFound: no such directory, or no text in it.
absl::StatusOr<Prompt> ReadPrompt(const std::string& directory, uint64_t max_bytes);

// The prompt after one file in its middle was edited: a line is put in at half of that file's text. Everything before
// that stays. REQUIRES: at least one file.
struct EditedPrompt {
  std::string text;
  std::string file;          // that was edited
  uint64_t edit_offset = 0;  // bytes of the prompt before the edit
};
EditedPrompt EditOneFile(const Prompt& prompt);

// The demonstration's tokenizer: four bytes of text are one token, whose id is these bytes as a little-endian number;
// the last token is filled up with zeros. Real text has about one token for four bytes.
inline constexpr uint64_t kBytesPerDemoToken = 4;
std::vector<uint32_t> Tokenize(std::string_view text);

// Tokens that both begin with.
uint64_t CommonTokens(std::span<const uint32_t> a, std::span<const uint32_t> b);

}  // namespace incipit::bench
