#include "cache/node/node_identity.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "cache/base/status_macros.h"

namespace incipit {
namespace {

constexpr int kIdentityVersion = 1;

NodeIdentity MakeNew(uint16_t shards, Random* random) {
  NodeIdentity identity;
  identity.node_id = random->Next() | 1;
  random->Fill(identity.placement_seed);
  identity.shards = shards;
  return identity;
}

absl::StatusOr<NodeIdentity> Parse(const std::string& path, std::istream& file) {
  const nlohmann::json json = nlohmann::json::parse(file, nullptr, /*allow_exceptions=*/false);
  const auto damaged = [&](const char* what) {
    return absl::DataLossError(
        absl::StrCat(path, ": ", what, "; restore it, or remove it together with the region files"));
  };
  if (!json.is_object() || !json.contains("version")) return damaged("not a node identity");
  if (json.value("version", 0) != kIdentityVersion) {
    return absl::FailedPreconditionError(absl::StrCat(path, ": version ", json.value("version", 0),
                                                      ", this build knows ", kIdentityVersion,
                                                      "; start the release that wrote it"));
  }
  NodeIdentity identity;
  const std::string seed = absl::HexStringToBytes(json.value("placement_seed", std::string()));
  const std::string id = json.value("node_id", std::string());
  if (seed.size() != identity.placement_seed.size() || id.size() != 16) return damaged("fields have wrong lengths");
  std::memcpy(identity.placement_seed.data(), seed.data(), seed.size());
  identity.node_id = std::strtoull(id.c_str(), nullptr, 16);
  identity.shards = json.value("shards", uint16_t{0});
  return identity;
}

absl::Status WriteWhole(const std::string& directory, const std::string& path, const NodeIdentity& identity) {
  const nlohmann::json json = {
      {"version", kIdentityVersion},
      {"node_id", absl::StrCat(absl::Hex(identity.node_id, absl::kZeroPad16))},
      {"placement_seed", absl::BytesToHexString({reinterpret_cast<const char*>(identity.placement_seed.data()), 16})},
      {"shards", identity.shards}};
  const std::string temporary = path + ".new";
  const std::string text = json.dump(2) + "\n";
  const int fd = open(temporary.c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
  const bool written =
      fd >= 0 && write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()) && fsync(fd) == 0;
  if (fd >= 0) close(fd);
  if (!written || rename(temporary.c_str(), path.c_str()) != 0) {
    return absl::UnavailableError(absl::StrCat("write ", path, ": ", std::strerror(errno)));
  }
  const int directory_fd = open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (directory_fd >= 0) {
    fsync(directory_fd);
    close(directory_fd);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<NodeIdentity> NodeIdentity::LoadOrCreate(const std::string& directory, uint16_t shards, Random* random) {
  if (directory.empty()) return MakeNew(shards, random);
  const std::string path = directory + "/node.json";
  std::ifstream file(path);
  if (file) {
    ASSIGN_OR_RETURN(NodeIdentity identity, Parse(path, file));
    if (identity.shards != shards) {
      return absl::FailedPreconditionError(
          absl::StrCat(path, ": stored blocks were placed on ", identity.shards, " shards, this start asks for ",
                       shards, "; start with --shards ", identity.shards, ", or use another directory"));
    }
    return identity;
  }
  const NodeIdentity identity = MakeNew(shards, random);
  RETURN_IF_ERROR(WriteWhole(directory, path, identity));
  return identity;
}

}  // namespace incipit
