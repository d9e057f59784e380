#include "transport/tcp/tcp_address.h"

#include <arpa/inet.h>
#include <netdb.h>

#include <cstring>

#include <charconv>

#include "absl/strings/str_cat.h"
#include "cache/base/status_macros.h"
#include "fmt/format.h"

namespace incipit {
namespace {

struct HostPort {
  std::string host;  // without brackets
  uint16_t port = 0;
};

absl::StatusOr<HostPort> Split(std::string_view address) {
  std::string_view rest = address;
  if (rest.starts_with("tcp://")) rest.remove_prefix(6);
  const size_t colon = rest.rfind(':');
  const std::string_view digits = colon == std::string_view::npos ? std::string_view() : rest.substr(colon + 1);
  HostPort parts;
  const auto [end, error_code] = std::from_chars(digits.data(), digits.data() + digits.size(), parts.port);
  if (colon == 0 || digits.empty() || error_code != std::errc() || end != digits.data() + digits.size()) {
    return absl::InvalidArgumentError(
        fmt::format("address '{}': expected host:port, for instance 127.0.0.1:9400", address));
  }
  parts.host = std::string(rest.substr(0, colon));
  if (parts.host.size() > 2 && parts.host.front() == '[' && parts.host.back() == ']') {
    parts.host = parts.host.substr(1, parts.host.size() - 2);
  }
  return parts;
}

}  // namespace

bool TcpAddress::IsLoopback() const {
  if (storage.ss_family == AF_INET) {
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(&storage);
    return (ntohl(v4->sin_addr.s_addr) >> 24) == 127;
  }
  const auto* v6 = reinterpret_cast<const sockaddr_in6*>(&storage);
  return IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
}

std::string TcpAddress::ToString() const {
  char host[INET6_ADDRSTRLEN] = {};
  if (storage.ss_family == AF_INET) {
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(&storage);
    inet_ntop(AF_INET, &v4->sin_addr, host, sizeof(host));
    return absl::StrCat(host, ":", ntohs(v4->sin_port));
  }
  const auto* v6 = reinterpret_cast<const sockaddr_in6*>(&storage);
  inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof(host));
  return absl::StrCat("[", host, "]:", ntohs(v6->sin6_port));
}

absl::Status CheckTcpAddress(std::string_view address) { return Split(address).status(); }

absl::StatusOr<TcpAddress> ResolveTcpAddress(std::string_view address) {
  ASSIGN_OR_RETURN(const HostPort parts, Split(address));
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int error = getaddrinfo(parts.host.c_str(), std::to_string(parts.port).c_str(), &hints, &found);
  if (error != 0) return absl::UnavailableError(fmt::format("address '{}': {}", address, gai_strerror(error)));
  TcpAddress result;
  std::memcpy(&result.storage, found->ai_addr, found->ai_addrlen);
  result.bytes = found->ai_addrlen;
  freeaddrinfo(found);
  return result;
}

}  // namespace incipit
