#include "client/cli/cli.h"

#include <algorithm>
#include <iostream>

#include "cache/base/version.h"
#include "client/cli/bench_command.h"
#include "client/cli/demo_command.h"
#include "client/cli/doctor/doctor_command.h"
#include "client/cli/drain_command.h"
#include "client/cli/get_command.h"
#include "client/cli/json_output.h"
#include "client/cli/key_command.h"
#include "client/cli/match_command.h"
#include "client/cli/plan_command.h"
#include "client/cli/put_command.h"
#include "client/cli/record_command.h"
#include "client/cli/remove_command.h"
#include "client/cli/replay_command.h"
#include "client/cli/serve_command.h"
#include "client/cli/status_command.h"
#include "client/cli/tenant_command.h"
#include "client/cli/top/top_command.h"
#include "fmt/format.h"

namespace incipit {
namespace {

constexpr char kDescription[] =
    "incipit keeps the KV cache of long shared openings of prompts in RAM and on NVMe, and serves it to the workers "
    "of\n"
    "an inference cluster, so that none of them computes the same opening twice.\n";

constexpr char kFooter[] =
    "A node and a client in two terminals:\n"
    "  incipit serve --ram 4GiB --nvme /tmp/incipit --nvme-bytes 20GiB\n"
    "  incipit put --file README.md --random 1 && incipit get --file README.md --random 1\n\n"
    "Each flag can also be given in the environment, as INCIPIT_ and its name (--nvme-bytes: INCIPIT_NVME_BYTES), or\n"
    "in the TOML file that --config or INCIPIT_CONFIG names, as nvme-bytes = \"20GiB\", at its top or under the name "
    "of\n"
    "the command in brackets. The command line outranks the environment, which outranks the file.\n\n"
    "`incipit COMMAND --help` explains a command and its flags. Exit status: 0 success, 1 error, 2 wrong flags, 3 "
    "miss.";

constexpr char kRunGroup[] = "Run a node";
constexpr char kBlocksGroup[] = "Look at and change blocks";
constexpr char kMeasureGroup[] = "Try and measure";

void AddCommands(CLI::App* app, int* exit_code) {
  AddServeCommand(*app, exit_code);
  AddStatusCommand(*app, exit_code);
  AddTopCommand(*app, exit_code);
  AddDoctorCommand(*app, exit_code);
  AddTenantCommand(*app, exit_code);
  AddDrainCommand(*app, exit_code);
  AddMatchCommand(*app, exit_code);
  AddPutCommand(*app, exit_code);
  AddGetCommand(*app, exit_code);
  AddRemoveCommand(*app, exit_code);
  AddKeyCommand(*app, exit_code);
  AddDemoCommand(*app, exit_code);
  AddRecordCommand(*app, exit_code);
  AddReplayCommand(*app, exit_code);
  AddPlanCommand(*app, exit_code);
  AddBenchCommand(*app, exit_code);
  for (CLI::App* command : app->get_subcommands([](CLI::App*) { return true; })) {
    const std::string name = command->get_name();
    const bool blocks = name == "match" || name == "put" || name == "get" || name == "remove" || name == "key";
    const bool measures = name == "bench" || name == "replay" || name == "demo" || name == "plan" || name == "record";
    command->group(blocks ? kBlocksGroup : measures ? kMeasureGroup : kRunGroup);
  }
}

int UsageError(const CLI::App& app, const std::string& message) {
  const std::vector<CLI::App*> chosen = const_cast<CLI::App&>(app).get_subcommands();
  const std::string command = chosen.empty() ? "incipit" : "incipit " + chosen.front()->get_name();
  std::cerr << command << ": " << message << "\nTry `" << command << " --help`." << std::endl;
  return kExitUsage;
}

}  // namespace

int RunCli(const std::vector<std::string>& arguments, const GetEnvironment& environment) {
  int exit_code = kExitOk;
  CLI::App app(kDescription, "incipit");
  app.footer(kFooter);
  app.require_subcommand(1);
  app.set_version_flag("--version", fmt::format("incipit {} ({}, {})", BuildVersion(), BuildCompiler(), BuildType()));
  app.get_formatter()->column_width(38);
  AddCommands(&app, &exit_code);
  OptionSources sources(environment);
  if (const absl::Status status = sources.Install(&app, arguments); !status.ok()) {
    return UsageError(app, std::string(status.message()));
  }
  try {
    app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));  // CLI11 takes them from the back.
  } catch (const CLI::Success& success) {
    return app.exit(success);  // --help and --version print and end so.
  } catch (const CLI::ParseError& error) {
    return UsageError(app, error.what());
  }
  return exit_code;
}

}  // namespace incipit
