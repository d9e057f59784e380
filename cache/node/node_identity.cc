#include "cache/node/node_identity.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "cache/base/status_macros.h"

namespace incipit {
namespace {

constexpr uint64_t kIdentityVersion = 1;

NodeIdentity MakeNew(uint16_t shards, Random* random) {
  NodeIdentity identity;
  identity.node_id = random->Next() | 1;
  random->Fill(identity.placement_seed);
  identity.shards = shards;
  return identity;
}

// The field's text if it is exactly `bytes` bytes in hexadecimal, else nothing.
std::string HexField(const nlohmann::json& json, const char* field, size_t bytes) {
  const auto found = json.find(field);
  if (found == json.end() || !found->is_string()) return "";
  const auto text = found->get<std::string>();
  const bool hex = std::all_of(text.begin(), text.end(), absl::ascii_isxdigit);
  return hex && text.size() == 2 * bytes ? text : "";
}

absl::StatusOr<NodeIdentity> Parse(const std::string& path, std::istream& file) {
  const nlohmann::json json = nlohmann::json::parse(file, nullptr, /*allow_exceptions=*/false);
  const auto damaged = [&](const char* what) {
    return absl::DataLossError(
        absl::StrCat(path, ": ", what, "; restore it, or remove it together with the region files"));
  };
  const auto number = [&](const char* field) -> uint64_t {
    const auto found = json.find(field);
    return found != json.end() && found->is_number_unsigned() ? found->get<uint64_t>() : 0;
  };
  if (!json.is_object() || number("version") == 0) return damaged("not a node identity");
  if (number("version") != kIdentityVersion) {
    return absl::FailedPreconditionError(absl::StrCat(path, ": version ", number("version"), ", this build knows ",
                                                      kIdentityVersion, "; start the release that wrote it"));
  }
  NodeIdentity identity;
  const std::string seed = HexField(json, "placement_seed", identity.placement_seed.size());
  const std::string id = HexField(json, "node_id", sizeof(identity.node_id));
  if (seed.empty() || id.empty()) return damaged("placement_seed or node_id is not hexadecimal of its length");
  std::memcpy(identity.placement_seed.data(), absl::HexStringToBytes(seed).data(), identity.placement_seed.size());
  identity.node_id = std::strtoull(id.c_str(), nullptr, 16);
  identity.shards = static_cast<uint16_t>(std::min<uint64_t>(number("shards"), UINT16_MAX));
  // Left out by releases that did not keep it.
  const std::string incarnation = HexField(json, "incarnation", sizeof(identity.incarnation));
  if (json.contains("incarnation") && incarnation.empty()) return damaged("incarnation is not 16 hexadecimal digits");
  if (!incarnation.empty()) identity.incarnation = std::strtoull(incarnation.c_str(), nullptr, 16);
  return identity;
}

absl::Status WriteWhole(const std::string& directory, const std::string& path, const NodeIdentity& identity) {
  const nlohmann::json json = {
      {"version", kIdentityVersion},
      {"node_id", absl::StrCat(absl::Hex(identity.node_id, absl::kZeroPad16))},
      {"placement_seed", absl::BytesToHexString({reinterpret_cast<const char*>(identity.placement_seed.data()), 16})},
      {"shards", identity.shards},
      {"incarnation", absl::StrCat(absl::Hex(identity.incarnation, absl::kZeroPad16))}};
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

absl::StatusOr<NodeIdentity> NodeIdentity::LoadOrCreate(const std::string& directory, uint16_t shards, Random* random,
                                                        uint64_t now_ms) {
  NodeIdentity identity = MakeNew(shards, random);
  if (directory.empty()) {
    identity.incarnation = random->Next();
    return identity;
  }
  const std::string path = directory + "/node.json";
  std::ifstream file(path);
  if (file) {
    ASSIGN_OR_RETURN(identity, Parse(path, file));
    if (identity.shards != shards) {
      return absl::FailedPreconditionError(
          absl::StrCat(path, ": stored blocks were placed on ", identity.shards, " shards, this start asks for ",
                       shards, "; start with --shards ", identity.shards, ", or use another directory"));
    }
  }
  identity.incarnation = std::max(identity.incarnation + 1, now_ms);
  RETURN_IF_ERROR(WriteWhole(directory, path, identity));
  return identity;
}

}  // namespace incipit
