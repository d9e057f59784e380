#include "transport/unix/unix_address.h"

#include <cstddef>
#include <cstring>

#include "fmt/format.h"

namespace incipit {

absl::StatusOr<UnixAddress> ParseUnixAddress(std::string_view address) {
  std::string_view rest = address;
  if (rest.starts_with(kUnixScheme)) rest.remove_prefix(kUnixScheme.size());
  if (rest.size() < 2 || (rest[0] != '/' && rest[0] != '@')) {
    return absl::InvalidArgumentError(
        fmt::format("address '{}': expected unix:///path/of/socket, or unix://@name for an abstract one", address));
  }
  UnixAddress result;
  // A path is followed by a zero byte; an abstract name begins with one instead of the @.
  const size_t most = sizeof(result.storage.sun_path) - 1;
  if (rest.size() > most || rest.find('\0') != std::string_view::npos) {
    return absl::InvalidArgumentError(
        fmt::format("address '{}': {} bytes of path, the kernel takes {} without zeros", address, rest.size(), most));
  }
  result.path = std::string(rest);
  result.storage.sun_family = AF_UNIX;
  std::memcpy(result.storage.sun_path, rest.data(), rest.size());
  if (result.abstract()) result.storage.sun_path[0] = '\0';
  const size_t ending = result.abstract() ? 0 : 1;
  result.bytes = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + rest.size() + ending);
  return result;
}

}  // namespace incipit
