#include "client/cli/tenant_command.h"

#include <iostream>
#include <memory>

#include "cache/base/status_macros.h"
#include "cache/tenants/tenant_table.h"
#include "client/cli/json_output.h"
#include "fmt/format.h"
#include "fmt/ranges.h"
#include "transport/auth/secret_file.h"

namespace incipit {
namespace {

struct Settings {
  std::string name;
  std::string secret_file;
  std::vector<std::string> roles = {"read", "write"};
  bool json = false;
};

absl::StatusOr<int> Run(Settings settings) {
  RETURN_IF_ERROR(CheckTenantName(settings.name));
  if (settings.secret_file.empty()) settings.secret_file = settings.name + ".secret";
  RETURN_IF_ERROR(WriteNewSecretFile(settings.secret_file));
  std::vector<std::string> quoted;
  for (const std::string& role : settings.roles) quoted.push_back('"' + role + '"');
  const std::string entry = fmt::format("[[tenant]]\nname = \"{}\"\nsecret_file = \"{}\"\nroles = [{}]\n",
                                        settings.name, settings.secret_file, fmt::join(quoted, ", "));
  if (settings.json) {
    PrintJson({{"ok", true}, {"name", settings.name}, {"secret_file", settings.secret_file}, {"entry", entry}});
  } else {
    std::cout << entry << std::flush;
    std::cerr << "The secret is in " << settings.secret_file
              << "; only its owner may read it. Put the lines above into the node's --tenants file, and give workers\n"
                 "the secret's file by --secret-file or INCIPIT_SECRET_FILE.\n";
  }
  return kExitOk;
}

}  // namespace

void AddTenantCommand(CLI::App& app, int* exit_code) {
  auto settings = std::make_shared<Settings>();
  CLI::App* command = app.add_subcommand("tenant", "make a secret for a new tenant of a node");
  command->add_option("action", "new")->required()->check(CLI::IsMember({"new"}));
  command->add_option("name", settings->name, "letters, digits, '.', '_' and '-'")->required();
  command->add_option("--secret-file", settings->secret_file, "where the secret goes; default: NAME.secret")
      ->type_name("FILE");
  command->add_option("--roles", settings->roles, "what the tenant may do: read, write, admin")
      ->check(CLI::IsMember({"read", "write", "admin"}))
      ->delimiter(',')
      ->capture_default_str();
  command->add_flag("--json", settings->json, "print JSON with stable field names");
  command->footer(
      "Writes 32 random bytes in hexadecimal digits to the secret's file, which must not exist yet (mode 0600), and\n"
      "prints the tenant's entry for the node's --tenants file. The secret itself is never printed.\n\n"
      "Examples:\n"
      "  incipit tenant new search --secret-file /etc/incipit/search.secret >> /etc/incipit/tenants.toml\n"
      "  incipit tenant new ops --roles read,admin\n\n"
      "JSON: ok, name, secret_file, entry. Exit status: 0, or 1 on an error.");
  command->callback([settings, exit_code] {
    const absl::StatusOr<int> result = Run(*settings);
    *exit_code = result.ok() ? *result : ReportError("tenant", result.status(), settings->json);
  });
}

}  // namespace incipit
