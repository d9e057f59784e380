#include "bench/common/private_cluster.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <fstream>

#include "bench/common/json.h"
#include "cache/base/status_macros.h"

namespace incipit::bench {
namespace {

// Ports of loopback that were free a moment ago: a map from a file must name them before the nodes take them.
absl::StatusOr<std::vector<uint16_t>> FreePorts(size_t count) {
  std::vector<int> sockets;
  std::vector<uint16_t> ports;
  for (size_t i = 0; i < count; ++i) {
    sockets.push_back(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof(address);
    if (bind(sockets.back(), reinterpret_cast<sockaddr*>(&address), length) != 0 ||
        getsockname(sockets.back(), reinterpret_cast<sockaddr*>(&address), &length) != 0) {
      break;
    }
    ports.push_back(ntohs(address.sin_port));
  }
  for (const int socket : sockets) close(socket);  // only now, so that no port comes twice
  if (ports.size() < count) return absl::UnavailableError(fmt::format("no {} free ports on 127.0.0.1", count));
  return ports;
}

Json MapOf(const std::vector<uint16_t>& ports, uint16_t shards) {
  Json map = {{"format", "incipit-cluster-map"},
              {"version", 1},
              {"epoch", 1},
              {"placement_seed", "00112233445566778899aabbccddeeff"},
              {"nodes", Json::array()}};
  for (size_t i = 0; i < ports.size(); ++i) {
    map["nodes"].push_back({{"id", fmt::format("{:016x}", i + 1)},
                            {"shards", shards},
                            {"addresses", {fmt::format("tcp://127.0.0.1:{}", ports[i])}}});
  }
  return map;
}

}  // namespace

absl::StatusOr<std::unique_ptr<PrivateCluster>> PrivateCluster::Start(size_t nodes, const PrivateNodeOptions& options) {
  ASSIGN_OR_RETURN(TempDir dir, TempDir::Create(options.work_dir));
  std::unique_ptr<PrivateCluster> cluster(new PrivateCluster(std::move(dir)));
  ASSIGN_OR_RETURN(const std::vector<uint16_t> ports, FreePorts(nodes));
  const std::string map_path = cluster->dir_.path() + "/map.json";
  std::ofstream(map_path) << MapOf(ports, options.shards).dump() << "\n";
  for (const uint16_t port : ports) {
    PrivateNodeOptions node = options;
    node.listen = fmt::format("127.0.0.1:{}", port);
    node.more_arguments.insert(node.more_arguments.end(), {"--membership", "static:" + map_path});
    ASSIGN_OR_RETURN(cluster->nodes_.emplace_back(), PrivateNode::Start(std::move(node)));
  }
  return cluster;
}

std::string PrivateCluster::address() const {
  std::string seeds;
  for (const auto& node : nodes_) seeds += (seeds.empty() ? "" : ",") + node->address().substr(sizeof("tcp://") - 1);
  return "cluster://" + seeds;
}

double PrivateCluster::CpuSeconds() const {
  double seconds = 0;
  for (const auto& node : nodes_) seconds += node->process()->CpuSeconds();
  return seconds;
}

}  // namespace incipit::bench
