#include "cluster/redis/redis_address.h"

#include <charconv>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "cache/base/status_macros.h"
#include "cluster/membership/cluster_map.h"

namespace incipit {
namespace {

constexpr std::string_view kTcp = "redis://";
constexpr std::string_view kUnix = "redis+unix://";
constexpr std::string_view kSentinel = "redis+sentinel://";
constexpr std::string_view kCluster = "?cluster=";
constexpr uint16_t kRedisPort = 6379;
constexpr uint16_t kSentinelPort = 26379;
constexpr size_t kMaxSocketPathBytes = 107;  // of sockaddr_un

absl::Status Wrong(std::string_view text, const char* what) {
  return absl::InvalidArgumentError(
      absl::StrCat("address of Redis ", std::string(text.substr(0, kMaxRedisAddressBytes)), ": ", what,
                   "; write redis://HOST[:PORT][/DB]?cluster=NAME, redis+unix:///PATH?cluster=NAME or "
                   "redis+sentinel://HOST[:PORT],HOST[:PORT]/MASTER[/DB]?cluster=NAME"));
}

bool ParseNumber(std::string_view text, uint16_t* number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *number);
  return error == std::errc() && end == text.data() + text.size();
}

// "HOST[:PORT]".
absl::StatusOr<RedisPlace> ParsePlace(std::string_view whole, std::string_view text, uint16_t port) {
  RedisPlace place{.port = port};
  const size_t bracket = text.rfind(']');
  const size_t colon = text.rfind(':');
  if (colon != std::string_view::npos && (bracket == std::string_view::npos || colon > bracket)) {
    if (!ParseNumber(text.substr(colon + 1), &place.port) || place.port == 0) {
      return Wrong(whole, "the port is not a number from 1 to 65535");
    }
    text = text.substr(0, colon);
  }
  if (text.size() > 2 && text.front() == '[' && text.back() == ']') text = text.substr(1, text.size() - 2);
  if (text.empty()) return Wrong(whole, "there is no host");
  if (text.size() > kMaxRedisHostBytes) return Wrong(whole, "a host's name is longer than 255 bytes");
  place.host = text;
  return place;
}

absl::Status ParseDatabase(std::string_view whole, std::string_view text, RedisAddress* address) {
  if (ParseNumber(text, &address->database)) return absl::OkStatus();
  return Wrong(whole, "the database is not a number");
}

// "HOST[:PORT][/DB]".
absl::Status ParseServer(std::string_view whole, std::string_view rest, RedisAddress* address) {
  if (const size_t slash = rest.find('/'); slash != std::string_view::npos) {
    RETURN_IF_ERROR(ParseDatabase(whole, rest.substr(slash + 1), address));
    rest = rest.substr(0, slash);
  }
  ASSIGN_OR_RETURN(const RedisPlace place, ParsePlace(whole, rest, kRedisPort));
  address->host = place.host;
  address->port = place.port;
  return absl::OkStatus();
}

// "HOST[:PORT],HOST[:PORT]/MASTER[/DB]".
absl::Status ParseSentinels(std::string_view whole, std::string_view rest, RedisAddress* address) {
  const std::vector<std::string> parts = absl::StrSplit(std::string(rest), '/');
  if (parts.size() < 2) return Wrong(whole, "the master's name is missing");
  if (parts.size() > 3) return Wrong(whole, "there is more behind the database");
  address->master = parts[1];
  if (address->master.empty() || address->master.size() > kMaxMasterNameBytes || !IsPlainName(address->master)) {
    return Wrong(whole, "the master's name is not 1 to 64 letters, digits, '.', '_' or '-'");
  }
  if (parts.size() == 3) RETURN_IF_ERROR(ParseDatabase(whole, parts[2], address));
  const std::vector<std::string> texts = absl::StrSplit(parts[0], ',');
  for (const std::string& text : texts) {
    if (address->sentinels.size() == kMaxSentinels) return Wrong(whole, "more than 16 sentinels");
    ASSIGN_OR_RETURN(RedisPlace place, ParsePlace(whole, text, kSentinelPort));
    address->sentinels.push_back(std::move(place));
  }
  return absl::OkStatus();
}

}  // namespace

std::string RedisPlace::ToString() const {
  const bool v6 = host.find(':') != std::string::npos;
  return absl::StrCat(v6 ? "[" : "", host, v6 ? "]" : "", ":", port);
}

bool RedisAddress::IsOne(std::string_view text) {
  return text.starts_with(kTcp) || text.starts_with(kUnix) || text.starts_with(kSentinel);
}

absl::StatusOr<RedisAddress> RedisAddress::Parse(std::string_view text) {
  if (text.size() > kMaxRedisAddressBytes) return Wrong(text, "longer than 512 bytes");
  if (!text.starts_with(kUnix) && text.find('@') != std::string_view::npos) {  // not repeated in any message
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
  if (place.starts_with(kSentinel)) {
    RETURN_IF_ERROR(ParseSentinels(text, place.substr(kSentinel.size()), &address));
    return address;
  }
  if (!place.starts_with(kTcp)) return Wrong(text, "unknown kind of address");
  RETURN_IF_ERROR(ParseServer(text, place.substr(kTcp.size()), &address));
  return address;
}

RedisAddress RedisAddress::At(const RedisPlace& place) const {
  RedisAddress address;
  address.host = place.host;
  address.port = place.port;
  address.database = database;
  address.cluster = cluster;
  return address;
}

std::string RedisAddress::ToString() const {
  if (!socket_path.empty()) return absl::StrCat("redis+unix://", socket_path, "?cluster=", cluster);
  if (sentinels.empty()) {
    return absl::StrCat("redis://", RedisPlace{host, port}.ToString(), "/", database, "?cluster=", cluster);
  }
  const std::string places = absl::StrJoin(
      sentinels, ",", [](std::string* out, const RedisPlace& place) { absl::StrAppend(out, place.ToString()); });
  return absl::StrCat("redis+sentinel://", places, "/", master, "/", database, "?cluster=", cluster);
}

}  // namespace incipit
