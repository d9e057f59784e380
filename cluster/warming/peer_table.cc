#include "cluster/warming/peer_table.h"

#include <utility>

#include "absl/strings/str_join.h"
#include "spdlog/spdlog.h"

namespace incipit {

std::shared_ptr<PeerNode> PeerTable::At(const ClusterNode& node) {
  if (closed_) return nullptr;
  std::vector<std::string> addresses;
  for (const std::string& lane : env_->settings.lanes) {
    std::string address = node.AddressOn(lane);
    if (!address.empty()) addresses.push_back(std::move(address));
  }
  const auto [entry, fresh] = nodes_.try_emplace(node.id);
  Known& known = entry->second;
  if (!fresh && known.incarnation == node.incarnation && known.addresses == addresses) return known.peer;
  if (known.peer != nullptr) known.peer->Close();
  known = {node.incarnation, addresses, nullptr};
  if (addresses.empty()) {
    spdlog::warn("event=peer_without_lane node={:016x} lanes={}; it has no address on these, and is not asked", node.id,
                 absl::StrJoin(env_->settings.lanes, ","));
  } else {
    known.peer = std::make_shared<PeerNode>(env_, std::move(addresses));
  }
  return known.peer;
}

void PeerTable::Keep(const ClusterMap& map) {
  for (auto each = nodes_.begin(); each != nodes_.end();) {
    const ClusterNode* node = map.Find(each->first);
    if (node != nullptr && node->state != NodeState::kGone) {
      ++each;
      continue;
    }
    if (each->second.peer != nullptr) each->second.peer->Close();
    nodes_.erase(each++);
  }
}

void PeerTable::CloseIdle() {
  for (auto& [id, known] : nodes_) {
    if (known.peer != nullptr) known.peer->CloseIdle();
  }
}

void PeerTable::Close() {
  closed_ = true;
  for (auto& [id, known] : nodes_) {
    if (known.peer != nullptr) known.peer->Close();
  }
}

}  // namespace incipit
