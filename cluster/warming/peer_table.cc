#include "cluster/warming/peer_table.h"

#include <utility>

namespace incipit {

std::shared_ptr<PeerNode> PeerTable::At(const ClusterNode& node) {
  std::string address = node.AddressOn(env_->settings.lane);
  if (closed_ || address.empty()) return nullptr;
  Known& known = nodes_[node.id];
  const bool same = known.peer != nullptr && known.incarnation == node.incarnation && known.peer->address() == address;
  if (same) return known.peer;
  if (known.peer != nullptr) known.peer->Close();
  known = {node.incarnation, std::make_shared<PeerNode>(env_, std::move(address))};
  return known.peer;
}

void PeerTable::Keep(const ClusterMap& map) {
  for (auto each = nodes_.begin(); each != nodes_.end();) {
    const ClusterNode* node = map.Find(each->first);
    if (node != nullptr && node->state != NodeState::kGone) {
      ++each;
      continue;
    }
    each->second.peer->Close();
    nodes_.erase(each++);
  }
}

void PeerTable::CloseIdle() {
  for (auto& [id, known] : nodes_) known.peer->CloseIdle();
}

void PeerTable::Close() {
  closed_ = true;
  for (auto& [id, known] : nodes_) known.peer->Close();
}

}  // namespace incipit
