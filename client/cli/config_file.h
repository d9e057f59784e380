// A TOML file of settings. Keys are the names of flags; a table named after a command holds what concerns only it:
//
//   log-level = "info"        # for every command that has --log-level
//   [serve]
//   ram = "64GiB"
//   nvme = "/var/lib/incipit"
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace incipit {

class ConfigFile {
 public:
  struct Setting {
    std::string table;                // name of a command; empty = all that have the flag
    std::string flag;                 // without the leading dashes; '_' in the file counts as '-'
    std::vector<std::string> values;  // several for an array
    uint32_t line = 0;
  };

  // NotFound: no such file. InvalidArgument: not TOML, or a value that no flag can take (nested tables, dates); both
  // with file and line.
  static absl::StatusOr<ConfigFile> Read(const std::string& path);
  static absl::StatusOr<ConfigFile> Parse(std::string_view text, const std::string& path);

  const std::string& path() const { return path_; }
  const std::vector<Setting>& settings() const { return settings_; }
  // "incipit.toml:12", for messages.
  std::string Where(const Setting& setting) const;

 private:
  std::string path_;
  std::vector<Setting> settings_;
};

}  // namespace incipit
