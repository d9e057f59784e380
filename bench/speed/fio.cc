#include "bench/speed/fio.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "bench/common/child_process.h"
#include "cache/base/status_macros.h"

namespace incipit::bench {
namespace {

constexpr const char* kFioProgram = "/usr/bin/fio";

}  // namespace

absl::StatusOr<double> ParseFioJson(const std::string& text) {
  const size_t start = text.find('{');  // fio prints warnings before the object
  const nlohmann::json json = nlohmann::json::parse(start == std::string::npos ? text : text.substr(start), nullptr,
                                                    /*allow_exceptions=*/false);
  const nlohmann::json::json_pointer rate("/jobs/0/read/bw_bytes"), error("/jobs/0/error");
  if (!json.is_object() || !json.contains(rate) || !json[rate].is_number()) {
    return absl::InternalError(fmt::format("fio printed no read rate: {}", text.substr(0, 400)));
  }
  if (json.contains(error) && json[error].is_number() && json[error].get<int>() != 0) {
    return absl::UnavailableError(fmt::format("fio reports error {}", json[error].get<int>()));
  }
  return json[rate].get<double>() / 1e9;
}

absl::StatusOr<double> RunFio(const FioJob& job) {
  std::vector<std::string> arguments = {kFioProgram,
                                        "--name=ceiling",
                                        "--filename=" + job.path,
                                        "--size=" + std::to_string(job.file_bytes),
                                        "--direct=1",
                                        "--ioengine=io_uring",
                                        std::string("--rw=") + (job.random ? "randread" : "read"),
                                        "--bs=" + std::to_string(job.block_bytes),
                                        "--iodepth=" + std::to_string(job.depth),
                                        "--randrepeat=0",
                                        "--norandommap",
                                        "--fallocate=none",
                                        "--output-format=json"};
  if (job.seconds > 0) {
    arguments.insert(arguments.end(), {"--time_based", fmt::format("--runtime={:.0f}ms", job.seconds * 1e3)});
  } else {
    arguments.push_back("--create_only=1");
  }
  absl::StatusOr<ChildProcess> fio = ChildProcess::Start({.arguments = arguments, .capture_output = true});
  if (!fio.ok()) return absl::NotFoundError("fio, the ceiling of NVMe loads, is not there: apt-get install fio");
  ASSIGN_OR_RETURN(const std::string output, fio->ReadOutput());
  const int status = fio->Wait();
  if (status != 0)
    return absl::UnavailableError(fmt::format("fio ended with status {}: {}", status, output.substr(0, 400)));
  if (job.seconds <= 0) return 0.0;
  return ParseFioJson(output);
}

}  // namespace incipit::bench
