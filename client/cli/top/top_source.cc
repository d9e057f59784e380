#include "client/cli/top/top_source.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "cache/base/status_macros.h"
#include "cluster/membership/file_membership.h"
#include "cluster/redis/redis_membership.h"
#include "incipit/seed_membership.h"
#include "transport/auth/secret_file.h"
#include "transport/lane_connector.h"

namespace incipit {
namespace {

// Addresses that an operator gave, as a map of no cluster.
class ListedNodes : public ClusterMembership {
 public:
  explicit ListedNodes(std::shared_ptr<const ClusterMap> map) : map_(std::move(map)) {}
  std::shared_ptr<const ClusterMap> Map() const override { return map_; }

 private:
  std::shared_ptr<const ClusterMap> map_;
};

absl::StatusOr<std::unique_ptr<ClusterMembership>> Listed(const std::vector<std::string>& addresses) {
  if (addresses.size() > kMaxClusterNodes) {
    return absl::InvalidArgumentError(absl::StrCat("--nodes: at most ", kMaxClusterNodes));
  }
  ClusterMap map{.epoch = 0};
  for (const std::string& address : addresses) {
    RETURN_IF_ERROR(LaneConnector::CheckAddress(address));
    map.nodes.push_back({.id = map.nodes.size() + 1, .addresses = {address}});
  }
  return std::make_unique<ListedNodes>(std::make_shared<const ClusterMap>(std::move(map)));
}

absl::StatusOr<std::unique_ptr<ClusterMembership>> FromMembership(const TopSourceOptions& options) {
  if (!RedisAddress::IsOne(options.membership)) {
    return FileMembership::Read(std::string(absl::StripPrefix(options.membership, "static:")));
  }
  RedisMembershipOptions redis;
  ASSIGN_OR_RETURN(redis.address, RedisAddress::Parse(options.membership));
  ASSIGN_OR_RETURN(redis.password, ReadPasswordFile("--membership-password-file", options.membership_password_file));
  ASSIGN_OR_RETURN(redis.sentinel_password,
                   ReadPasswordFile("--membership-sentinel-password-file", options.membership_sentinel_password_file));
  ASSIGN_OR_RETURN(std::unique_ptr<RedisMembership> started, RedisMembership::Start(std::move(redis)));
  RETURN_IF_ERROR(started->WaitForMap([](const ClusterMap&) { return true; }, options.connect.timeout_ms).status());
  return started;
}

absl::StatusOr<std::unique_ptr<SeedMembership>> FromSeeds(const ConnectOptions& connect,
                                                          std::vector<std::string> seeds) {
  SeedOptions options{.seeds = std::move(seeds),
                      .tenant = connect.tenant,
                      .client_name = "incipit-top",
                      .timeout_ms = connect.timeout_ms};
  if (!connect.secret_file.empty()) {
    ASSIGN_OR_RETURN(std::vector<uint8_t> secret, ReadSecret("--secret-file", connect.secret_file));
    options.secret.assign(secret.begin(), secret.end());
    Wipe(secret.data(), secret.size());
  }
  return SeedMembership::Start(std::move(options));
}

}  // namespace

absl::StatusOr<std::unique_ptr<ClusterMembership>> OpenTopSource(const TopSourceOptions& options) {
  if (!options.nodes.empty()) return Listed(options.nodes);
  if (!options.membership.empty()) return FromMembership(options);
  const ConnectOptions& connect = options.connect;
  if (!connect.cluster.empty()) {
    ASSIGN_OR_RETURN(std::unique_ptr<SeedMembership> seeds, FromSeeds(connect, connect.cluster));
    const absl::Status mapped = seeds->WaitForMap(connect.timeout_ms).status();
    if (!mapped.ok()) return absl::Status(mapped.code(), absl::StrCat("--cluster: ", mapped.message()));
    return seeds;
  }
  ASSIGN_OR_RETURN(std::unique_ptr<SeedMembership> seeds, FromSeeds(connect, {connect.address}));
  if (seeds->WaitForAnswer(connect.timeout_ms).ok()) return seeds;
  return Listed({connect.address});  // in no cluster, or away
}

}  // namespace incipit
