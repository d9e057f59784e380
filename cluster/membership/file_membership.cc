#include "cluster/membership/file_membership.h"

#include <cerrno>
#include <cstring>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "cluster/membership/cluster_map_json.h"

namespace incipit {

absl::StatusOr<std::unique_ptr<FileMembership>> FileMembership::Read(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return absl::NotFoundError(absl::StrCat("cluster map ", path, ": ", std::strerror(errno)));
  std::string text(kMaxClusterMapBytes + 1, '\0');  // one more, so that a file over the limit is seen to be so
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (file.bad() || (file.fail() && !file.eof())) {
    return absl::NotFoundError(absl::StrCat("cluster map ", path, ": cannot be read"));
  }
  text.resize(static_cast<size_t>(file.gcount()));
  absl::StatusOr<ClusterMap> map = DecodeClusterMap(text);
  if (!map.ok()) return absl::Status(map.status().code(), absl::StrCat(path, ": ", map.status().message()));
  return std::unique_ptr<FileMembership>(new FileMembership(std::make_shared<const ClusterMap>(*std::move(map))));
}

}  // namespace incipit
