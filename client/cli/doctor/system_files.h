// Reads the small text files of /proc and /sys. Tests give another root with files of their own.
// Any thread; each call opens and reads one file. Nothing fails: what cannot be read is absent.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace incipit {

class SystemFiles {
 public:
  explicit SystemFiles(std::string root = "") : root_(std::move(root)) {}

  // Whole content without trailing white space; at most 1 MiB of it. `path` is absolute: "/proc/meminfo".
  std::optional<std::string> Text(const std::string& path) const;
  // The file's content as one integer.
  std::optional<int64_t> Number(const std::string& path) const;
  // The text after "`field`:" on the line that starts so, e.g. Field("/proc/meminfo", "HugePages_Free").
  std::optional<std::string> Field(const std::string& path, const std::string& field) const;
  // As Field, its first word as an integer.
  std::optional<int64_t> NumberField(const std::string& path, const std::string& field) const;
  // Names in a directory, sorted; empty if there is none.
  std::vector<std::string> List(const std::string& directory) const;

 private:
  std::string root_;
};

}  // namespace incipit
