#include "client/cli/key_command.h"

#include <fmt/format.h>

#include <iostream>
#include <memory>
#include <string>

#include "cache/base/status_macros.h"
#include "client/cli/json_output.h"
#include "incipit/sealing_key.h"

namespace incipit {
namespace {

struct Settings {
  std::string action, file;
  bool json = false;
};

absl::Status Run(const Settings& settings) {
  if (settings.action == "new") RETURN_IF_ERROR(SealingKey::WriteNewFile(settings.file));
  ASSIGN_OR_RETURN(const std::shared_ptr<const SealingKey> key, SealingKey::FromFile(settings.file));
  if (settings.json) {
    PrintJson({{"ok", true}, {"file", settings.file}, {"key_id", key->Id()}});
  } else {
    std::cout << fmt::format("{}: sealing key {}\n", settings.file, key->Id()) << std::flush;
  }
  return absl::OkStatus();
}

}  // namespace

void AddKeyCommand(CLI::App& app, int* exit_code) {
  auto settings = std::make_shared<Settings>();
  CLI::App* command = app.add_subcommand("key", "make or name a key that clients seal blocks with");
  command->add_option("ACTION", settings->action, "new: write a random key to FILE; id: name the key in FILE")
      ->check(CLI::IsMember({"new", "id"}))
      ->required();
  command->add_option("FILE", settings->file, "of the key; only its owner may be able to read it")->required();
  command->add_flag("--json", settings->json, "print JSON with stable field names");
  command->footer(
      "Clients with one key share blocks that no node can read. The name of a key tells nothing about it; it is in "
      "the\n"
      "name of the layout under which its blocks are kept. An existing file is never overwritten.\n\n"
      "Examples:\n"
      "  incipit key new /etc/incipit/sealing.key\n"
      "  incipit put --file README.md --random 1 --sealing-key-file /etc/incipit/sealing.key\n\n"
      "JSON: ok, file, key_id.");
  command->callback([settings, exit_code] {
    const absl::Status status = Run(*settings);
    *exit_code = status.ok() ? kExitOk : ReportError("key", status, settings->json);
  });
}

}  // namespace incipit
