#include "cluster/node/node_peers.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "absl/strings/escaping.h"
#include "cluster/warming/shard_warmer.h"
#include "spdlog/spdlog.h"
#include "transport/lane_connector.h"
#include "transport/ucx/ucx_endpoint.h"

namespace incipit {
namespace {

// That of the shards' loops.
int64_t NowNs() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

// By this node's own devices, and without a word about its memory: docs/security.md, "The ucx lane". UCX is loaded at
// once, while this shard has little to do.
std::unique_ptr<Connector> MakeUcxConnector(UringLoop* loop, const PeerSettings& settings, const UcxSettings& ucx) {
  const bool wanted = std::find(settings.lanes.begin(), settings.lanes.end(), "ucx") != settings.lanes.end();
  if (!wanted) return std::make_unique<UcxConnector>(loop);
  auto connector = std::make_unique<UcxConnector>(loop, UcxConnectorOptions{.offer_memory = false, .settings = ucx});
  if (const absl::Status status = connector->Prepare(); !status.ok()) {
    spdlog::warn("event=peer_lane_missing lane=ucx cause=\"{}\"", absl::CEscape(status.message()));
  }
  return connector;
}

// A warmer with the seams that it stands on.
class NodeWarmer : public ShardPeers {
 public:
  NodeWarmer(Shard* shard, UringLoop* loop, const PeerSettings& settings, const UcxSettings& ucx)
      : random_(MakeSystemRandom()),
        connector_(loop, MakeUcxConnector(loop, settings, ucx)),
        warmer_(shard, {.loop = loop, .connector = &connector_, .random = random_.get(), .settings = settings}) {}

  ShardWarmer* warmer() { return &warmer_; }
  bool MayHave(NamespaceId name_space, const wire::KeyRef& key) override { return warmer_.MayHave(name_space, key); }
  Task<void> Match(const PeerQuestion* question, std::vector<wire::Presence>* found) override {
    return warmer_.Match(question, found);
  }
  Task<void> TakeOver(const PeerQuestion* question) override { return warmer_.TakeOver(question); }
  Task<void> Stop() override { return warmer_.Stop(); }
  const PeerCounters& counters() const override { return warmer_.counters(); }

 private:
  std::unique_ptr<Random> random_;
  LaneConnector connector_;
  ShardWarmer warmer_;
};

// REQUIRES: the shard's peers were given to it by a NodePeers.
ShardWarmer* WarmerOf(Shard* shard) { return static_cast<NodeWarmer*>(shard->peers())->warmer(); }

}  // namespace

NodePeers::NodePeers(Node* node, PeerSettings settings, int64_t warm_ns)
    : node_(node), history_(settings.node_id, warm_ns) {
  node_->OnEachShard([settings = std::move(settings), ucx = node->options().ucx](Shard* shard, UringLoop* loop) {
    if (shard->peers() != nullptr) return;  // of an agent before this one: it has tasks, and will do
    shard->set_peers(std::make_shared<NodeWarmer>(shard, loop, settings, ucx));
  });
}

void NodePeers::OnMap(const std::shared_ptr<const ClusterMap>& map, bool joined) {
  const std::lock_guard<std::mutex> lock(mutex_);  // until it is posted: shards get plans in the order of maps
  const std::shared_ptr<const PeerPlan> plan = history_.Take(map, NowNs(), joined);
  node_->OnEachShard([plan](Shard* shard, UringLoop*) { WarmerOf(shard)->SetPlan(plan); });
}

std::vector<std::shared_ptr<MoveBoard>> NodePeers::BeginMoving(uint64_t bytes_per_s) {
  const uint64_t shards = node_->options().shards;
  std::vector<std::shared_ptr<MoveBoard>> boards;
  for (uint64_t i = 0; i < shards; ++i) boards.push_back(std::make_shared<MoveBoard>());
  const MoveOrder order{.bytes_per_s = bytes_per_s == 0 ? 0 : std::max<uint64_t>(1, bytes_per_s / shards)};
  node_->OnEachShard([boards, order](Shard* shard, UringLoop*) {
    WarmerOf(shard)->BeginMoving(order, boards[shard->options().identity.shard]);
  });
  return boards;
}

void NodePeers::EndMoving(bool takes_stores) {
  node_->OnEachShard([takes_stores](Shard* shard, UringLoop*) { WarmerOf(shard)->EndMoving(takes_stores); });
}

}  // namespace incipit
