// The namespaces a shard has met, numbered. Two numbers are equal exactly if the namespaces are, so comparing numbers
// compares tenant, model and layout in full.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "cache/format/identity.h"
#include "cache/shard/entry.h"

namespace incipit {

inline constexpr size_t kMaxNamespaces = 4096;

// One thread.
class NamespaceTable {
 public:
  struct Info {
    NamespaceIdentity identity;
    std::vector<uint8_t> framed;
    std::optional<Layout> layout;  // unknown for what recovery found, until a session opens the namespace
  };

  // ResourceExhausted past kMaxNamespaces.
  absl::StatusOr<NamespaceId> Intern(const NamespaceIdentity& identity);
  absl::StatusOr<NamespaceId> Open(const std::string& tenant, const std::string& model, const Layout& layout);
  const Info& At(NamespaceId id) const { return *infos_[id]; }
  size_t size() const { return infos_.size(); }

 private:
  absl::flat_hash_map<std::string, NamespaceId> by_framed_;
  std::vector<std::unique_ptr<Info>> infos_;
};

}  // namespace incipit
