#include "client/cli/recording_page.h"

#include <httplib.h>

#include <algorithm>

#include "client/cli/json_output.h"
#include "fmt/format.h"

namespace incipit {
namespace {

constexpr time_t kTimeoutSeconds = 10;
constexpr int kNotFound = 404, kFound = 200;

}  // namespace

absl::StatusOr<RecordingPage> ParseRecordingPage(std::string_view body) {
  const size_t end = body.find('\n');
  const Json head = Json::parse(body.substr(0, end), nullptr, /*allow_exceptions=*/false);
  RecordingPage page;
  for (const auto& [field, value] :
       {std::pair{"next", &page.next}, {"missed", &page.missed}, {"partial", &page.partial}}) {
    if (end == std::string_view::npos || !head.is_object() || !head.contains(field) ||
        !head[field].is_number_unsigned()) {
      return absl::InvalidArgumentError(fmt::format(
          "what came is no recording: its first line lacks \"{}\", a number; is it a node's --http?", field));
    }
    *value = head[field].get<uint64_t>();
  }
  page.lines = body.substr(end + 1);
  page.requests = static_cast<uint64_t>(std::count(page.lines.begin(), page.lines.end(), '\n'));
  return page;
}

absl::StatusOr<RecordingPage> FetchRecordingPage(const std::string& address, uint64_t from) {
  httplib::Client client(address.find("://") == std::string::npos ? "http://" + address : address);
  if (!client.is_valid()) {
    return absl::InvalidArgumentError(fmt::format("--http {}: write host:port, as the node's own --http", address));
  }
  client.set_connection_timeout(kTimeoutSeconds);
  client.set_read_timeout(kTimeoutSeconds);
  const httplib::Result answer = client.Get(fmt::format("/recording?from={}", from));
  if (!answer) {
    return absl::UnavailableError(fmt::format("--http {}: no answer ({}); is the node running, with --http there?",
                                              address, httplib::to_string(answer.error())));
  }
  if (answer->status == kNotFound) {
    return absl::FailedPreconditionError(
        fmt::format("--http {}: the node records nothing; start it with --record-bytes 64MiB, say", address));
  }
  if (answer->status != kFound) {
    return absl::UnavailableError(fmt::format("--http {}: status {} instead of a recording", address, answer->status));
  }
  return ParseRecordingPage(answer->body);
}

}  // namespace incipit
