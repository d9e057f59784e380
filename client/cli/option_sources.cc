#include "client/cli/option_sources.h"

#include <algorithm>
#include <cctype>

#include "cache/base/status_macros.h"
#include "fmt/format.h"

namespace incipit {
namespace {

constexpr char kConfigFlag[] = "--config";

std::vector<CLI::App*> CommandsOf(CLI::App* app) {
  return app->get_subcommands([](CLI::App* command) { return !command->get_name().empty(); });
}

// Options of a command, those in its option groups included.
std::vector<CLI::Option*> OptionsOf(CLI::App* command) {
  std::vector<CLI::Option*> options = command->get_options([](CLI::Option*) { return true; });
  for (CLI::App* group : command->get_subcommands([](CLI::App* app) { return app->get_name().empty(); })) {
    const std::vector<CLI::Option*> inner = OptionsOf(group);
    options.insert(options.end(), inner.begin(), inner.end());
  }
  return options;
}

// Flags that have no meaning outside the command line.
bool OnlyOnCommandLine(const CLI::Option& option) {
  return option.get_lnames().empty() || option.check_lname("help") || option.check_lname("config");
}

CLI::Option* FindOption(CLI::App* command, const std::string& flag) {
  for (CLI::Option* option : OptionsOf(command)) {
    if (!OnlyOnCommandLine(*option) && option->check_lname(flag)) return option;
  }
  return nullptr;
}

std::string ConfigArgument(const std::vector<std::string>& arguments) {
  const std::string with_value = std::string(kConfigFlag) + "=";
  for (size_t i = 0; i < arguments.size() && arguments[i] != "--"; ++i) {
    if (arguments[i].rfind(with_value, 0) == 0) return arguments[i].substr(with_value.size());
    if (arguments[i] == kConfigFlag && i + 1 < arguments.size()) return arguments[i + 1];
  }
  return "";
}

}  // namespace

std::string EnvironmentName(const std::string& flag) {
  std::string name = "INCIPIT_";
  for (const char c : flag.substr(std::min(flag.find_first_not_of('-'), flag.size()))) {
    name.push_back(c == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c))));
  }
  return name;
}

OptionSources::OptionSources(GetEnvironment environment) : environment_(std::move(environment)) {}

absl::Status OptionSources::Install(CLI::App* app, const std::vector<std::string>& arguments) {
  config_path_ = ConfigArgument(arguments);
  const char* from_environment = environment_("INCIPIT_CONFIG");
  if (config_path_.empty() && from_environment != nullptr) config_path_ = from_environment;
  if (!config_path_.empty()) {
    ASSIGN_OR_RETURN(file_, ConfigFile::Read(config_path_));
    RETURN_IF_ERROR(CheckFile(app));
  }
  app->add_option(kConfigFlag, "TOML file of flags, see below")->type_name("FILE");
  for (CLI::App* command : CommandsOf(app)) {
    // Only shown and skipped here: its value was needed before parsing began.
    command->add_option(kConfigFlag, "TOML file of flags; see `incipit --help`")->type_name("FILE");
    for (CLI::Option* option : OptionsOf(command)) {
      const bool given = InFile(*command, *option) != nullptr || InEnvironment(*option) != nullptr;
      if (given) option->required(false);
    }
    command->parse_complete_callback([this, command] { Fill(command); });
  }
  return absl::OkStatus();
}

absl::Status OptionSources::CheckFile(CLI::App* app) const {
  const std::vector<CLI::App*> commands = CommandsOf(app);
  for (const ConfigFile::Setting& setting : file_->settings()) {
    const auto takes = [&](CLI::App* command) { return FindOption(command, setting.flag) != nullptr; };
    if (setting.table.empty()) {
      if (std::any_of(commands.begin(), commands.end(), takes)) continue;
      return absl::InvalidArgumentError(fmt::format("{}: unknown key '{}': no command has a flag --{}",
                                                    file_->Where(setting), setting.flag, setting.flag));
    }
    const auto named = std::find_if(commands.begin(), commands.end(),
                                    [&](const CLI::App* command) { return command->get_name() == setting.table; });
    if (named == commands.end()) {
      return absl::InvalidArgumentError(
          fmt::format("{}: unknown table [{}]: there is no such command", file_->Where(setting), setting.table));
    }
    if (!takes(*named)) {
      return absl::InvalidArgumentError(fmt::format("{}: unknown key '{}': `incipit {}` has no flag --{}",
                                                    file_->Where(setting), setting.flag, setting.table, setting.flag));
    }
  }
  return absl::OkStatus();
}

const ConfigFile::Setting* OptionSources::InFile(const CLI::App& command, const CLI::Option& option) const {
  if (!file_.has_value() || OnlyOnCommandLine(option)) return nullptr;
  const ConfigFile::Setting* general = nullptr;
  for (const ConfigFile::Setting& setting : file_->settings()) {
    if (!option.check_lname(setting.flag)) continue;
    if (setting.table == command.get_name()) return &setting;  // The command's own table outranks the top of the file.
    if (setting.table.empty()) general = &setting;
  }
  return general;
}

const char* OptionSources::InEnvironment(const CLI::Option& option) const {
  if (OnlyOnCommandLine(option)) return nullptr;
  for (const std::string& name : option.get_lnames()) {
    const char* value = environment_(EnvironmentName(name).c_str());
    if (value != nullptr && *value != '\0') return value;
  }
  return nullptr;
}

void OptionSources::Fill(CLI::App* command) const {
  for (CLI::Option* option : OptionsOf(command)) {
    if (option->count() == 0) FillOption(command, option);
  }
}

void OptionSources::FillOption(CLI::App* command, CLI::Option* option) const {
  std::vector<std::string> values;
  std::string origin;
  if (const char* value = InEnvironment(*option); value != nullptr) {
    values = {value};
    origin = EnvironmentName(option->get_lnames().front());
  } else if (const ConfigFile::Setting* setting = InFile(*command, *option); setting != nullptr) {
    values = setting->values;
    origin = file_->Where(*setting);
  }
  if (values.empty()) return;
  try {
    for (const std::string& value : values) option->add_result(value);
    option->run_callback();
  } catch (const CLI::ParseError& error) {
    throw CLI::ValidationError(origin + ": " + error.what(), CLI::ExitCodes::ValidationError);
  }
}

}  // namespace incipit
