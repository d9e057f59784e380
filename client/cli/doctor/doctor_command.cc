#include "client/cli/doctor/doctor_command.h"

#include <iostream>
#include <memory>

#include "client/cli/doctor/doctor.h"
#include "client/cli/doctor/doctor_report.h"

namespace incipit {

void AddDoctorCommand(CLI::App& app, int* exit_code) {
  struct Settings {
    DoctorOptions options;
    bool json = false;
  };
  auto settings = std::make_shared<Settings>();
  CLI::App* command =
      app.add_subcommand("doctor", "look at this machine the way a node will use it; say what to change");
  command->add_option("--dir", settings->options.directory, "directory of the NVMe tier")->capture_default_str();
  command->add_option("--ram-bytes", settings->options.arena_bytes, "size of the RAM tier, e.g. 64GiB; 0 = not known")
      ->transform(CLI::AsSizeValue(false));
  command->add_option("--nvme-bytes", settings->options.nvme_bytes, "size of the NVMe tier, e.g. 1TiB; 0 = not known")
      ->transform(CLI::AsSizeValue(false));
  command->add_flag("--fast", settings->options.fast, "leave out the disk measurement");
  command->add_flag("--json", settings->json, "print JSON");
  command->footer(
      "Exit status: 0 if nothing has to be changed, 1 if a check failed. Writes up to 256 MiB into the\n"
      "directory to measure it, for a few seconds, and leaves nothing behind.");
  command->callback([settings, exit_code] {
    const std::vector<DoctorCheck> checks = RunDoctor(settings->options);
    if (settings->json) {
      // Names of directories need not be UTF-8; what is not becomes U+FFFD.
      std::cout << RenderDoctorJson(checks).dump(2, ' ', false, nlohmann::json::error_handler_t::replace) << '\n';
    } else {
      std::cout << RenderDoctorText(checks);
    }
    std::cout.flush();
    *exit_code = DoctorPassed(checks) ? 0 : 1;
  });
}

}  // namespace incipit
