#include "client/cli/doctor/system_files.h"

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace incipit {
namespace {

constexpr size_t kMaxFileBytes = 1 << 20;

std::optional<int64_t> FirstWordAsNumber(absl::string_view text) {
  const absl::string_view word = text.substr(0, text.find_first_of(" \t\n"));
  int64_t value = 0;
  if (!absl::SimpleAtoi(word, &value)) return std::nullopt;
  return value;
}

}  // namespace

std::optional<std::string> SystemFiles::Text(const std::string& path) const {
  std::ifstream file(absl::StrCat(root_, path), std::ios::binary);
  if (!file) return std::nullopt;
  // Files of /proc have no length, so read until they end.
  std::string text(kMaxFileBytes, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (file.bad()) return std::nullopt;
  text.resize(static_cast<size_t>(file.gcount()));
  absl::StripTrailingAsciiWhitespace(&text);
  return text;
}

std::optional<int64_t> SystemFiles::Number(const std::string& path) const {
  const std::optional<std::string> text = Text(path);
  return text ? FirstWordAsNumber(*text) : std::nullopt;
}

std::optional<std::string> SystemFiles::Field(const std::string& path, const std::string& field) const {
  const std::optional<std::string> text = Text(path);
  if (!text) return std::nullopt;
  for (absl::string_view line : absl::StrSplit(*text, '\n')) {
    // /proc/cpuinfo pads its names with tabs before the colon.
    const size_t colon = line.find(':');
    if (colon == absl::string_view::npos) continue;
    if (absl::StripTrailingAsciiWhitespace(line.substr(0, colon)) != field) continue;
    return std::string(absl::StripAsciiWhitespace(line.substr(colon + 1)));
  }
  return std::nullopt;
}

std::optional<int64_t> SystemFiles::NumberField(const std::string& path, const std::string& field) const {
  const std::optional<std::string> text = Field(path, field);
  return text ? FirstWordAsNumber(*text) : std::nullopt;
}

std::vector<std::string> SystemFiles::List(const std::string& directory) const {
  std::vector<std::string> names;
  std::error_code error;
  for (std::filesystem::directory_iterator it(absl::StrCat(root_, directory), error), end; !error && it != end;
       it.increment(error)) {
    names.push_back(it->path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace incipit
