#include "client/cli/top/top_observer.h"

#include <set>

#include "cache/base/status_macros.h"
#include "transport/auth/secret_file.h"

namespace incipit {
namespace {

constexpr int64_t kMillisecondNs = 1'000'000;
constexpr char kLane[] = "tcp";

// On the lane that all nodes have; of a node that an operator named by another, on that.
std::string AddressOf(const ClusterNode& node) {
  const std::string address = node.AddressOn(kLane);
  return address.empty() && !node.addresses.empty() ? node.addresses.front() : address;
}

}  // namespace

TopObserver::TopObserver(std::unique_ptr<UringLoop> loop)
    : loop_(std::move(loop)), random_(MakeSystemRandom()), connector_(loop_.get()) {}

TopObserver::~TopObserver() = default;

absl::StatusOr<std::unique_ptr<TopObserver>> TopObserver::Create(const ConnectOptions& options,
                                                                 std::unique_ptr<ClusterMembership> nodes) {
  ASSIGN_OR_RETURN(std::unique_ptr<UringLoop> loop, UringLoop::Create({}));
  std::unique_ptr<TopObserver> observer(new TopObserver(std::move(loop)));
  observer->timeout_ns_ = options.timeout_ms * kMillisecondNs;
  observer->nodes_ = std::move(nodes);
  observer->as_.client_id = observer->random_->Next();
  observer->as_.tenant = options.tenant;
  observer->as_.client_name = "incipit-top";
  if (!options.secret_file.empty()) {
    ASSIGN_OR_RETURN(const TenantKey key, ReadSecretFile("--secret-file", options.secret_file));
    observer->as_.key = std::make_shared<const TenantKey>(key);
  }
  return observer;
}

NodeProbe* TopObserver::ProbeAt(const std::string& address) {
  std::unique_ptr<NodeProbe>& probe = probes_[address];
  if (probe == nullptr) {
    probe = std::make_unique<NodeProbe>(loop_.get(), random_.get(), &connector_, &as_, address);
  }
  return probe.get();
}

ClusterSample TopObserver::Look() {
  ClusterSample sample;
  if (const std::shared_ptr<const ClusterMap> map = nodes_->Map()) {
    sample.epoch = map->epoch;
    for (const ClusterNode& node : map->nodes) {
      if (node.state != NodeState::kGone) sample.nodes.emplace_back().node = node;
    }
  }
  loop_->RunTask(LookAtAll(&sample));
  sample.at = std::chrono::steady_clock::now();
  std::set<std::string> there;
  for (const NodeSample& node : sample.nodes) there.insert(AddressOf(node.node));
  std::erase_if(probes_, [&](const auto& probe) { return !there.contains(probe.first); });
  return sample;
}

Task<void> TopObserver::LookAtAll(ClusterSample* sample) {
  const int64_t deadline_ns = loop_->NowNs() + timeout_ns_;
  TaskScope scope(loop_.get());
  for (NodeSample& node : sample->nodes) {
    const std::string address = AddressOf(node.node);
    if (address.empty()) {
      node.status = absl::UnavailableError("the map has no address of it");
    } else {
      scope.Spawn(ProbeAt(address)->Look(deadline_ns, &node));
    }
  }
  co_await scope.Join();
}

}  // namespace incipit
