#include "client/cli/config_file.h"

#include <toml++/toml.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>

#include "cache/base/status_macros.h"
#include "fmt/format.h"

namespace incipit {
namespace {

absl::Status At(const std::string& path, uint32_t line, const std::string& what) {
  return absl::InvalidArgumentError(fmt::format("{}:{}: {}", path, line, what));
}

absl::StatusOr<std::string> ScalarText(const std::string& path, const std::string& key, const toml::node& node) {
  if (const auto* text = node.as_string()) return text->get();
  if (const auto* number = node.as_integer()) return fmt::format("{}", number->get());
  if (const auto* number = node.as_floating_point()) return fmt::format("{}", number->get());
  if (const auto* flag = node.as_boolean()) return std::string(flag->get() ? "true" : "false");
  return At(path, node.source().begin.line,
            fmt::format("'{}' is neither text, a number, true or false, nor an array of such", key));
}

absl::StatusOr<ConfigFile::Setting> ToSetting(const std::string& path, const std::string& table, std::string key,
                                              const toml::node& node) {
  ConfigFile::Setting setting;
  setting.table = table;
  setting.line = node.source().begin.line;
  if (const toml::array* array = node.as_array()) {
    for (const toml::node& element : *array) {
      ASSIGN_OR_RETURN(std::string text, ScalarText(path, key, element));
      setting.values.push_back(std::move(text));
    }
    if (setting.values.empty()) return At(path, setting.line, fmt::format("'{}' is an empty array", key));
  } else {
    ASSIGN_OR_RETURN(std::string text, ScalarText(path, key, node));
    setting.values.push_back(std::move(text));
  }
  std::replace(key.begin(), key.end(), '_', '-');
  setting.flag = std::move(key);
  return setting;
}

}  // namespace

absl::StatusOr<ConfigFile> ConfigFile::Read(const std::string& path) {
  std::ifstream file(path);
  if (!file) return absl::NotFoundError(fmt::format("--config {}: {}", path, std::strerror(errno)));
  std::ostringstream text;
  text << file.rdbuf();
  if (file.bad() || text.fail()) return absl::UnavailableError(fmt::format("--config {}: cannot be read", path));
  return Parse(text.str(), path);
}

absl::StatusOr<ConfigFile> ConfigFile::Parse(std::string_view text, const std::string& path) {
  ConfigFile config;
  config.path_ = path;
  toml::table root;
  try {
    root = toml::parse(text, path);
  } catch (const toml::parse_error& error) {
    return At(path, error.source().begin.line, std::string(error.description()));
  }
  for (const auto& [name, node] : root) {
    const std::string key(name.str());
    const toml::table* table = node.as_table();
    if (table == nullptr) {
      ASSIGN_OR_RETURN(Setting setting, ToSetting(path, "", key, node));
      config.settings_.push_back(std::move(setting));
      continue;
    }
    for (const auto& [inner_name, inner] : *table) {
      ASSIGN_OR_RETURN(Setting setting, ToSetting(path, key, std::string(inner_name.str()), inner));
      config.settings_.push_back(std::move(setting));
    }
  }
  // TOML tables are sorted by key; errors are reported, and read best, in the order of the file.
  std::sort(config.settings_.begin(), config.settings_.end(),
            [](const Setting& a, const Setting& b) { return a.line < b.line; });
  return config;
}

std::string ConfigFile::Where(const Setting& setting) const { return fmt::format("{}:{}", path_, setting.line); }

}  // namespace incipit
