#include "transport/ucx/ucx_address.h"

#include <algorithm>
#include <charconv>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "transport/tcp/tcp_address.h"

namespace incipit {
namespace {

constexpr size_t kMaxSettingBytes = 256;
constexpr char kLoopbackDevice[] = "lo";
constexpr std::string_view kNotTcp[] = {"rc", "dc", "ud", "ib", "self", "posix", "sysv", "shm"};

// Names of devices and transports; nothing that UCX's parser of settings gives a meaning of its own.
bool IsList(std::string_view text) {
  return !text.empty() && text.size() <= kMaxSettingBytes && std::all_of(text.begin(), text.end(), [](char letter) {
    return std::isalnum(static_cast<unsigned char>(letter)) != 0 ||
           std::string_view("_:,.-").find(letter) != std::string_view::npos;
  });
}

absl::Status Malformed(std::string_view address, std::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("address '", std::string(address), "': ", std::string(what)));
}

bool NamesLoopback(std::string_view host_port) {
  return host_port.starts_with("127.") || host_port.starts_with("localhost:") || host_port.starts_with("[::1]:");
}

}  // namespace

std::string UcxSettings::TransportsOrDefault() const {
  if (!transports.empty()) return transports;
  return devices.find(':') != std::string::npos ? "rc" : "tcp";  // RDMA devices are named with their port
}

// "all", groups of UCX's that may hold it and names not known here count too.
bool UcxSettings::UsesTcp() const {
  const std::vector<std::string> names = absl::StrSplit(TransportsOrDefault(), ',');
  return !std::all_of(names.begin(), names.end(), [](const std::string& name) {
    const std::string family = name.substr(0, name.find('_'));  // of rc_verbs, rc
    return std::find(std::begin(kNotTcp), std::end(kNotTcp), family) != std::end(kNotTcp);
  });
}

absl::StatusOr<UcxAddress> UcxAddress::Parse(std::string_view address) {
  if (!IsUcx(address)) return Malformed(address, "expected ucx://host:port");
  std::string_view rest = address.substr(kScheme.size());
  UcxAddress result;
  const size_t question = rest.find('?');
  result.host_port = std::string(rest.substr(0, question));
  if (!CheckTcpAddress(result.host_port).ok()) return Malformed(address, "expected ucx://host:port");
  if (question != std::string_view::npos) {
    const std::string query(rest.substr(question + 1));
    for (const absl::string_view piece : absl::StrSplit(query, '&')) {
      const std::string_view pair(piece.data(), piece.size());
      const size_t equals = pair.find('=');
      const std::string_view name = pair.substr(0, equals);
      const std::string_view value = equals == std::string_view::npos ? std::string_view() : pair.substr(equals + 1);
      if (name != "devices" && name != "transports") return Malformed(address, "settings are devices= and transports=");
      if (!IsList(value)) return Malformed(address, "a setting is a list of names, with commas");
      (name == "devices" ? result.settings.devices : result.settings.transports) = std::string(value);
    }
  }
  if (result.settings.devices.empty()) {
    if (!NamesLoopback(result.host_port)) {
      return Malformed(address, "name the device, as in ?devices=mlx5_0:1 or ?devices=eth0: UCX would use all of them");
    }
    result.settings.devices = kLoopbackDevice;
  }
  return result;
}

std::string UcxAddress::ToString() const {
  std::string text = absl::StrCat(std::string(kScheme), host_port, "?devices=", settings.devices);
  if (!settings.transports.empty()) absl::StrAppend(&text, "&transports=", settings.transports);
  return text;
}

std::string UcxAddressOfShard(const std::string& address, uint16_t shard) {
  absl::StatusOr<UcxAddress> parsed = UcxAddress::Parse(address);
  if (!parsed.ok()) return address;
  const size_t colon = parsed->host_port.rfind(':');
  const char* digits = parsed->host_port.data() + colon + 1;
  const char* end = parsed->host_port.data() + parsed->host_port.size();
  uint16_t port = 0;
  const auto [stopped, error] = std::from_chars(digits, end, port);
  if (error != std::errc() || stopped != end || port > UINT16_MAX - shard) return address;
  parsed->host_port = absl::StrCat(parsed->host_port.substr(0, colon), ":", port + shard);
  return parsed->ToString();
}

}  // namespace incipit
