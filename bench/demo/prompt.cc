#include "bench/demo/prompt.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "cache/base/check.h"

namespace incipit::bench {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kMaxFileBytes = 1 << 20;
constexpr const char* kEdit = "\n(one line was put in here)\n";

bool LeftOut(const fs::path& path) {
  const std::string name = path.filename().string();
  return name.empty() || name[0] == '.' || name == "build";
}

// Names of all plain files below `directory`, relative to it, sorted.
std::vector<std::string> FilesBelow(const fs::path& directory) {
  std::vector<std::string> names;
  std::error_code error;
  const auto options = fs::directory_options::skip_permission_denied;
  for (fs::recursive_directory_iterator it(directory, options, error), end; it != end; it.increment(error)) {
    if (error) break;
    std::error_code ignored;
    if (LeftOut(it->path())) {
      if (it->is_directory(ignored)) it.disable_recursion_pending();
    } else if (it->is_regular_file(ignored) && !it->is_symlink(ignored)) {
      names.push_back(it->path().lexically_relative(directory).generic_string());
    }
  }
  std::sort(names.begin(), names.end());
  return names;
}

// The file's text; empty if it is not text, too large or cannot be read.
std::string TextOf(const fs::path& path) {
  std::error_code error;
  if (fs::file_size(path, error) > kMaxFileBytes || error) return {};
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return file && text.str().find('\0') == std::string::npos ? text.str() : std::string();
}

}  // namespace

absl::StatusOr<Prompt> ReadPrompt(const std::string& directory, uint64_t max_bytes) {
  std::error_code error;
  if (!fs::is_directory(directory, error)) {
    return absl::NotFoundError(fmt::format("{} is not a directory; name one with --dir", directory));
  }
  Prompt prompt;
  for (const std::string& name : FilesBelow(directory)) {
    const std::string text = TextOf(fs::path(directory) / name);
    const std::string title = fmt::format("\n==> {} <==\n", name);
    if (text.empty() || prompt.text.size() + title.size() + text.size() > max_bytes) continue;
    prompt.text += title;
    prompt.files.push_back({name, prompt.text.size(), text.size()});
    prompt.text += text;
  }
  if (prompt.files.empty()) return absl::NotFoundError(fmt::format("{} holds no text files", directory));
  return prompt;
}

EditedPrompt EditOneFile(const Prompt& prompt) {
  INCIPIT_CHECK(!prompt.files.empty(), "a prompt holds at least one file");
  // The file that lies across the middle of the prompt.
  const auto after = std::find_if(prompt.files.begin(), prompt.files.end(), [&](const PromptFile& file) {
    return file.text_offset + file.text_bytes > prompt.text.size() / 2;
  });
  const PromptFile& file = after != prompt.files.end() ? *after : prompt.files.back();
  EditedPrompt edited;
  edited.file = file.name;
  edited.edit_offset = file.text_offset + file.text_bytes / 2;
  edited.text = prompt.text;
  edited.text.insert(edited.edit_offset, kEdit);
  return edited;
}

std::vector<uint32_t> Tokenize(std::string_view text) {
  std::vector<uint32_t> tokens((text.size() + kBytesPerDemoToken - 1) / kBytesPerDemoToken, 0);
  for (size_t i = 0; i < tokens.size(); ++i) {
    std::array<uint8_t, kBytesPerDemoToken> bytes{};
    const std::string_view piece = text.substr(i * kBytesPerDemoToken, kBytesPerDemoToken);
    std::memcpy(bytes.data(), piece.data(), piece.size());
    tokens[i] = bytes[0] | uint32_t{bytes[1]} << 8 | uint32_t{bytes[2]} << 16 | uint32_t{bytes[3]} << 24;
  }
  return tokens;
}

uint64_t CommonTokens(std::span<const uint32_t> a, std::span<const uint32_t> b) {
  const auto end = std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first;
  return static_cast<uint64_t>(end - a.begin());
}

}  // namespace incipit::bench
