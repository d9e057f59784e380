#include "cache/shard/namespace_table.h"

#include "absl/strings/str_cat.h"
#include "cache/base/status_macros.h"

namespace incipit {

absl::StatusOr<NamespaceId> NamespaceTable::Intern(const NamespaceIdentity& identity) {
  std::vector<uint8_t> framed = FrameNamespace(identity);
  std::string name(AsText(framed));
  const auto found = by_framed_.find(name);
  if (found != by_framed_.end()) return found->second;
  if (infos_.size() >= kMaxNamespaces) {
    return absl::ResourceExhaustedError(absl::StrCat("this shard holds ", infos_.size(),
                                                     " namespaces, the limit; restart the node to forget unused ones"));
  }
  const auto id = static_cast<NamespaceId>(infos_.size());
  auto info = std::make_unique<Info>();
  info->identity = identity;
  info->framed = std::move(framed);
  infos_.push_back(std::move(info));
  by_framed_[std::move(name)] = id;
  return id;
}

absl::StatusOr<NamespaceId> NamespaceTable::Open(const std::string& tenant, const std::string& model,
                                                 const Layout& layout) {
  NamespaceIdentity identity{tenant, model, layout.Fingerprint()};
  ASSIGN_OR_RETURN(const NamespaceId id, Intern(identity));
  if (!infos_[id]->layout.has_value()) infos_[id]->layout = layout;
  return id;
}

}  // namespace incipit
