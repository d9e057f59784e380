#include "cluster/redis/redis_address.h"

#include <charconv>

#include "absl/strings/str_cat.h"
#include "cache/base/status_macros.h"
#include "cluster/membership/cluster_map.h"

namespace incipit {
namespace {

constexpr std::string_view kTcp = "redis://";
constexpr std::string_view kUnix = "redis+unix://";
constexpr std::string_view kCluster = "?cluster=";
constexpr size_t kMaxSocketPathBytes = 107;  // of sockaddr_un

absl::Status Wrong(std::string_view text, const char* what) {
  return absl::InvalidArgumentError(
      absl::StrCat("address of Redis ", std::string(text.substr(0, kMaxRedisAddressBytes)), ": ", what,
                   "; write redis://HOST[:PORT][/DB]?cluster=NAME or redis+unix:///PATH?cluster=NAME"));
}

bool ParseNumber(std::string_view text, uint16_t* number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *number);
  return error == std::errc() && end == text.data() + text.size();
}

// "HOST[:PORT][/DB]".
absl::Status ParseHost(std::string_view whole, std::string_view rest, RedisAddress* address) {
  if (const size_t slash = rest.find('/'); slash != std::string_view::npos) {
    if (!ParseNumber(rest.substr(slash + 1), &address->database)) return Wrong(whole, "the database is not a number");
    rest = rest.substr(0, slash);
  }
  const size_t bracket = rest.rfind(']');
  const size_t colon = rest.rfind(':');
  if (colon != std::string_view::npos && (bracket == std::string_view::npos || colon > bracket)) {
    if (!ParseNumber(rest.substr(colon + 1), &address->port) || address->port == 0) {
      return Wrong(whole, "the port is not a number from 1 to 65535");
    }
    rest = rest.substr(0, colon);
  }
  if (rest.size() > 2 && rest.front() == '[' && rest.back() == ']') rest = rest.substr(1, rest.size() - 2);
  if (rest.empty()) return Wrong(whole, "there is no host");
  address->host = rest;
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<RedisAddress> RedisAddress::Parse(std::string_view text) {
  if (text.size() > kMaxRedisAddressBytes) return Wrong(text, "longer than 512 bytes");
  if (text.starts_with(kTcp) && text.find('@') != std::string_view::npos) {  // not repeated in any message
    return absl::InvalidArgumentError(
        "address of Redis: it has a user or password in it; a password belongs in a file");
  }
  RedisAddress address;
  const size_t question = text.find(kCluster);
  if (question == std::string_view::npos) return Wrong(text, "the cluster's name is missing");
  address.cluster = text.substr(question + kCluster.size());
  if (address.cluster.empty() || address.cluster.size() > kMaxClusterNameBytes || !IsPlainName(address.cluster)) {
    return Wrong(text, "the cluster's name is not 1 to 64 letters, digits, '.', '_' or '-'");
  }
  const std::string_view place = text.substr(0, question);
  if (place.starts_with(kUnix)) {
    address.socket_path = place.substr(kUnix.size());
    if (!address.socket_path.starts_with('/') || address.socket_path.size() > kMaxSocketPathBytes) {
      return Wrong(text, "the socket's path is not absolute, or longer than 107 bytes");
    }
    return address;
  }
  if (!place.starts_with(kTcp)) return Wrong(text, "unknown kind of address");
  RETURN_IF_ERROR(ParseHost(text, place.substr(kTcp.size()), &address));
  return address;
}

std::string RedisAddress::ToString() const {
  if (!socket_path.empty()) return absl::StrCat("redis+unix://", socket_path, "?cluster=", cluster);
  const bool v6 = host.find(':') != std::string::npos;
  return absl::StrCat("redis://", v6 ? "[" : "", host, v6 ? "]" : "", ":", port, "/", database, "?cluster=", cluster);
}

}  // namespace incipit
