// Lets every flag of every command be given in three places: on the command line, in the environment as
// INCIPIT_<FLAG>, or in a configuration file. The first of these that has it counts.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "client/cli/config_file.h"

namespace incipit {

// Value of an environment variable; nullptr if it is not set.
using GetEnvironment = std::function<const char*(const char*)>;

// "--nvme-bytes" -> "INCIPIT_NVME_BYTES".
std::string EnvironmentName(const std::string& flag);

// Lives as long as the parsing. One thread.
class OptionSources {
 public:
  explicit OptionSources(GetEnvironment environment);

  // Adds --config to every command of `app`, reads the file it names in `arguments` (or INCIPIT_CONFIG does), checks
  // that each of its keys is a flag of the command it stands under, and arranges that parsing fills what the command
  // line leaves open. Call after all commands have been added and before parsing.
  // Errors name file, line and key.
  absl::Status Install(CLI::App* app, const std::vector<std::string>& arguments);

 private:
  absl::Status CheckFile(CLI::App* app) const;
  void Fill(CLI::App* command) const;
  void FillOption(CLI::App* command, CLI::Option* option) const;
  const ConfigFile::Setting* InFile(const CLI::App& command, const CLI::Option& option) const;
  const char* InEnvironment(const CLI::Option& option) const;

  GetEnvironment environment_;
  std::optional<ConfigFile> file_;
  std::string config_path_;
};

}  // namespace incipit
