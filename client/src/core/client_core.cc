#include "client/src/core/client_core.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>
#include <utility>

#include "cache/base/check.h"
#include "cache/base/status_macros.h"
#include "client/src/codec/coding_threads.h"
#include "client/src/codec/sealed_codec.h"
#include "client/src/core/cluster_links.h"
#include "client/src/core/load_call.h"
#include "client/src/core/match_call.h"
#include "client/src/core/node_links.h"
#include "client/src/core/status_call.h"
#include "client/src/core/store_call.h"
#include "client/src/core/wait_call.h"
#include "transport/wire/claim_messages.h"

namespace incipit {
namespace {

constexpr int64_t kReleaseDeadlineNs = 1'000'000'000;
constexpr uint64_t kMaxCopyingBytes = 32 * kMiB;  // of hot blocks that wait to be stored at other nodes

absl::Status CheckName(const char* option, const std::string& value, size_t min_bytes) {
  if (value.size() >= min_bytes && value.size() <= kMaxNameBytes) return absl::OkStatus();
  return absl::InvalidArgumentError(
      fmt::format("ClientOptions.{}: {} bytes, allowed are {} to {}", option, value.size(), min_bytes, kMaxNameBytes));
}

// REQUIRES: CheckCoding(options) is ok.
CodecOptions CodingOf(const ClientOptions& options) { return *ParseCodec(options.codec); }

Layout WireLayout(const ClientOptions& options) {
  const Layout coded = CodedLayout(options.layout, CodingOf(options));
  return options.sealing_key == nullptr ? coded : SealedLayout(coded, *options.sealing_key);
}

absl::Status CheckCoding(const ClientOptions& options) {
  if (absl::Status checked = CheckCodec(options.codec, options.layout); !checked.ok()) {
    return absl::InvalidArgumentError(fmt::format("ClientOptions.codec: {}", std::string(checked.message())));
  }
  if (options.codec_threads > CodingThreads::kMaxThreads) {
    return absl::InvalidArgumentError(fmt::format("ClientOptions.codec_threads: {}, at most {}; 0 = by the processors",
                                                  options.codec_threads, CodingThreads::kMaxThreads));
  }
  return absl::OkStatus();
}

// Named after the tenant that owns it, who need not be the session's: all to whom it is granted name it alike, and find
// and decode each other's blocks.
std::vector<uint8_t> NamespaceOf(const ClientOptions& options, const Layout& wire_layout) {
  const std::string& owner = options.namespace_owner.empty() ? options.tenant : options.namespace_owner;
  return FrameNamespace({owner, options.model, wire_layout.Fingerprint()});
}

std::unique_ptr<SegmentCodec> MakeCodec(const ClientOptions& options, ByteView framed_namespace) {
  if (options.sealing_key == nullptr) return std::make_unique<RawCodec>();
  return std::make_unique<SealedCodec>(*options.sealing_key, framed_namespace);
}

// The key takes the secret's place, which is kept no longer.
ShardConnectionOptions ConnectionOptions(ClientOptions& options, const Layout& wire_layout, Random* random) {
  ShardConnectionOptions connection;
  connection.address = options.address;
  connection.handshake.client_id = random->Next();
  connection.handshake.tenant = options.tenant;
  connection.handshake.client_name = options.client_name;
  connection.handshake.owner = options.namespace_owner;
  if (!options.secret.empty()) {
    connection.handshake.key = std::make_shared<const TenantKey>(AsBytes(options.secret));
    Wipe(options.secret.data(), options.secret.size());
    options.secret.clear();
  }
  connection.handshake.open.model = options.model;
  connection.handshake.open.layout = wire_layout.Encode();
  connection.step_timeout_ns = int64_t{options.connect_timeout_ms} * 1'000'000;
  connection.breaker.failures_to_open = options.breaker_failures;
  connection.breaker.cooldown_ns = int64_t{options.breaker_cooldown_ms} * 1'000'000;
  connection.breaker.pause_min_ns = int64_t{options.reconnect_min_ms} * 1'000'000;
  connection.breaker.pause_max_ns = int64_t{options.reconnect_max_ms} * 1'000'000;
  connection.max_inflight_bytes = options.max_inflight_bytes;
  connection.busy_retries = options.busy_retries;
  return connection;
}

std::unique_ptr<Links> MakeLinks(Loop* loop, Connector* connector, Random* random, ShardConnectionOptions connection,
                                 const std::vector<uint8_t>& framed_namespace, ClientCounters* counters) {
  const std::string address = connection.address;
  if (!ClusterLinks::IsClusterAddress(address)) {
    return std::make_unique<NodeLinks>(loop, connector, random, std::move(connection), counters);
  }
  ClusterLinksOptions cluster;
  cluster.connection = std::move(connection);
  cluster.connection.handshake.features = wire::kFeatureHotCopies | wire::kFeatureTurns;
  cluster.framed_namespace = framed_namespace;
  const absl::Status parsed = ClusterLinks::ParseAddress(address, &cluster.seeds, &cluster.lane);
  INCIPIT_CHECK(parsed.ok(), "CheckOptions lets no other address of a cluster pass");
  return std::make_unique<ClusterLinks>(loop, connector, random, std::move(cluster), counters);
}

absl::Status CheckClusterAddress(const ClientOptions& options) {
  if (!ClusterLinks::IsClusterAddress(options.address)) return absl::OkStatus();
  std::vector<std::string> seeds;
  std::string lane;
  return ClusterLinks::ParseAddress(options.address, &seeds, &lane);
}

// What is coded is sent before it has left the caches, where the workers are so few that this counts.
uint64_t SendingBytes(const ClientOptions& options, const CodingWorkers* workers) {
  return options.codec.empty() || workers == nullptr ? BufferPool::kMaxSendingBytes : workers->grain().sending_bytes;
}

}  // namespace

uint64_t StatusResult::Count(BlockStatus wanted) const {
  return static_cast<uint64_t>(std::count(status.begin(), status.end(), wanted));
}

absl::Status ClientCore::CheckOptions(const ClientOptions& options) {
  RETURN_IF_ERROR(CheckName("tenant", options.tenant, 1));
  RETURN_IF_ERROR(CheckName("model", options.model, 1));
  RETURN_IF_ERROR(CheckName("client_name", options.client_name, 0));
  RETURN_IF_ERROR(CheckName("namespace_owner", options.namespace_owner, 0));
  if (!options.secret.empty() && (options.secret.size() < kMinSecretBytes || options.secret.size() > kMaxSecretBytes)) {
    return absl::InvalidArgumentError(fmt::format("ClientOptions.secret: {} bytes, allowed are {} to {}",
                                                  options.secret.size(), kMinSecretBytes, kMaxSecretBytes));
  }
  if (!options.secret.empty() && !options.secret_file.empty()) {
    return absl::InvalidArgumentError("ClientOptions: give secret or secret_file, not both");
  }
  RETURN_IF_ERROR(CheckClusterAddress(options));
  RETURN_IF_ERROR(options.layout.Validate());
  RETURN_IF_ERROR(CheckCoding(options));
  const Layout wire_layout = WireLayout(options);
  if (!wire_layout.Validate().ok()) {
    return absl::InvalidArgumentError(
        fmt::format("ClientOptions.layout: its name has {} bytes, and with a sealing key or a lossy codec becomes "
                    "\"{}\", longer than the "
                    "{} that are allowed",
                    options.layout.name.size(), wire_layout.name, kMaxNameBytes));
  }
  const size_t layout_bytes = wire_layout.Encode().size();
  if (layout_bytes > wire::OpenNamespace::kMaxLayoutBytes) {
    return absl::InvalidArgumentError(fmt::format("ClientOptions.layout: {} bytes encoded, at most {}", layout_bytes,
                                                  wire::OpenNamespace::kMaxLayoutBytes));
  }
  const std::pair<const char*, uint64_t> positive[] = {
      {"connect_timeout_ms", options.connect_timeout_ms}, {"default_deadline_ms", options.default_deadline_ms},
      {"reconnect_min_ms", options.reconnect_min_ms},     {"breaker_failures", options.breaker_failures},
      {"max_inflight_bytes", options.max_inflight_bytes}, {"replicas", options.replicas}};
  for (const auto& [name, value] : positive) {
    if (value == 0) return absl::InvalidArgumentError(fmt::format("ClientOptions.{}: 0, at least 1 is needed", name));
  }
  if (options.replicas > ClientOptions::kMaxReplicas) {
    return absl::InvalidArgumentError(
        fmt::format("ClientOptions.replicas: {}, allowed are 1 to {}", options.replicas, ClientOptions::kMaxReplicas));
  }
  if (options.reconnect_max_ms < options.reconnect_min_ms) {
    return absl::InvalidArgumentError(fmt::format("ClientOptions.reconnect_max_ms: {}, less than reconnect_min_ms {}",
                                                  options.reconnect_max_ms, options.reconnect_min_ms));
  }
  if (!(options.prefill_tokens_per_s >= 0)) {
    return absl::InvalidArgumentError(
        fmt::format("ClientOptions.prefill_tokens_per_s: {}, 0 or more is needed", options.prefill_tokens_per_s));
  }
  return absl::OkStatus();
}

ClientCore::ClientCore(Loop* loop, Connector* connector, Random* random, ClientOptions options, CodingWorkers* workers)
    : loop_(loop),
      options_(std::move(options)),
      guard_(options_.prefill_tokens_per_s),
      wire_layout_(WireLayout(options_)),
      sending_budget_(loop, SendingBytes(options_, workers)),
      copying_budget_(loop, kMaxCopyingBytes),
      background_(loop),
      alive_(std::make_shared<ClientCore*>(this)) {
  context_.loop = loop;
  context_.options = &options_;
  context_.framed_namespace = NamespaceOf(options_, wire_layout_);
  codec_ = MakeCodec(options_, context_.framed_namespace);
  links_ = MakeLinks(loop, connector, random, ConnectionOptions(options_, wire_layout_, random),
                     context_.framed_namespace, &counters_);
  context_.links = links_.get();
  context_.random = random;
  context_.copies = &copies_;
  context_.copying_budget = &copying_budget_;
  context_.guard = &guard_;
  context_.codec = codec_.get();
  context_.coding = CodingOf(options_);
  if (options_.sealing_key != nullptr) {
    sealers_ = std::make_unique<SealerPool>(options_.sealing_key, context_.framed_namespace);
    context_.sealers = sealers_.get();
  }
  context_.workers = workers != nullptr ? workers : &inline_workers_;
  context_.buffers = &buffers_;
  context_.sending_budget = &sending_budget_;
  context_.counters = &counters_;
  context_.new_stamp = [this] {
    return last_stamp_ns_ = std::max(last_stamp_ns_ + 1, static_cast<uint64_t>(loop_->WallNs()));
  };
  context_.make_lease = [weak = std::weak_ptr<ClientCore*>(alive_)](std::vector<LeaseGrant> grants) {
    return Lease([weak, grants = std::move(grants)] {
      if (const auto core = weak.lock()) (*core)->Release(grants);
    });
  };
  context_.renew = [weak = std::weak_ptr<ClientCore*>(alive_)](std::vector<LeaseGrant> grants, uint32_t claim_ms) {
    if (const auto core = weak.lock()) (*core)->Renew(std::move(grants), claim_ms);
  };
  context_.release = [this](std::vector<LeaseGrant> grants) { Release(std::move(grants)); };
  context_.background = &background_;
}

ClientCore::~ClientCore() = default;

void ClientCore::Start() { links_->Start(); }

Task<void> ClientCore::Stop() {
  stopping_ = true;
  alive_.reset();
  co_await links_->Stop();
  co_await background_.Join();
}

Task<absl::Status> ClientCore::WaitConnected() {
  co_return co_await links_->WaitAllReady(loop_->NowNs() + int64_t{options_.connect_timeout_ms} * 1'000'000);
}

Task<absl::StatusOr<MatchResult>> ClientCore::Match(MatchRequest request) {
  return RunMatch(&context_, std::move(request));
}
Task<absl::StatusOr<MatchResult>> ClientCore::Wait(WaitRequest request) {
  return RunWait(&context_, std::move(request));
}
Task<absl::StatusOr<LoadResult>> ClientCore::Load(LoadRequest request) {
  return RunLoad(&context_, std::move(request));
}
Task<absl::StatusOr<StatusResult>> ClientCore::Offer(OfferRequest request) {
  return RunOffer(&context_, std::move(request));
}
Task<absl::StatusOr<StatusResult>> ClientCore::Store(StoreRequest request) {
  return RunStore(&context_, std::move(request));
}
Task<absl::StatusOr<StatusResult>> ClientCore::Touch(TouchRequest request) {
  return RunTouch(&context_, std::move(request));
}
Task<absl::StatusOr<StatusResult>> ClientCore::Remove(RemoveRequest request) {
  return RunRemove(&context_, std::move(request));
}

void ClientCore::Release(std::vector<LeaseGrant> grants) {
  if (stopping_) return;
  for (LeaseGrant& grant : grants) background_.Spawn(ReleaseOne(std::move(grant)));
}

Task<void> ClientCore::ReleaseOne(LeaseGrant grant) {
  const std::shared_ptr<ShardConnection> connection = grant.connection.lock();
  // A lease ends with the connection it was granted on.
  if (connection == nullptr || !connection->ready() || connection->session_number() != grant.session_number) co_return;
  ShardRequest request{.type = wire::FrameType::kRelease, .meta = std::make_shared<std::vector<uint8_t>>()};
  request.in_namespace = false;
  wire::Release{.id = grant.lease_id}.Encode(request.meta.get());
  EmptyReply reply(loop_, wire::FrameType::kReleaseReply);
  // If it fails the lease ends by itself.
  (void)co_await connection->Exchange(&request, &reply, loop_->NowNs() + kReleaseDeadlineNs);
}

void ClientCore::Renew(std::vector<LeaseGrant> grants, uint32_t claim_ms) {
  if (stopping_) return;
  for (LeaseGrant& grant : grants) background_.Spawn(RenewOne(std::move(grant), claim_ms));
}

Task<void> ClientCore::RenewOne(LeaseGrant grant, uint32_t claim_ms) {
  const std::shared_ptr<ShardConnection> connection = grant.connection.lock();
  if (connection == nullptr || !connection->ready() || connection->session_number() != grant.session_number) co_return;
  ShardRequest request{.type = wire::FrameType::kClaim, .meta = std::make_shared<std::vector<uint8_t>>()};
  wire::Claim{.claim_ms = claim_ms, .claim_id = grant.lease_id}.Encode(request.meta.get());
  SingleReply<wire::ClaimReply> reply(loop_, wire::FrameType::kClaimReply);
  // If it fails the claim lapses, and another worker may compute the same: double work, never a wrong result.
  (void)co_await connection->Exchange(&request, &reply, loop_->NowNs() + int64_t{claim_ms} * 1'000'000);
}

Task<void> ClientCore::StatsOfShard(ShardConnection* connection, int64_t deadline_ns, std::vector<ShardStats>* out) {
  ShardRequest request{.type = wire::FrameType::kStats, .meta = std::make_shared<std::vector<uint8_t>>()};
  request.in_namespace = false;
  SingleReply<wire::StatsReply> reply(loop_, wire::FrameType::kStatsReply);
  absl::Status status = co_await connection->Exchange(&request, &reply, deadline_ns);
  if (status.ok()) out->push_back({connection->shard(), std::move(reply.value().values), connection->hello().node_id});
}

Task<absl::StatusOr<std::vector<ShardStats>>> ClientCore::Stats() {
  const int64_t deadline_ns = context_.DeadlineNs(0);
  absl::StatusOr<std::shared_ptr<ShardSet>> shards = co_await links_->Shards(deadline_ns);
  if (!shards.ok()) co_return shards.status();
  std::vector<ShardStats> stats;
  TaskScope scope(loop_);
  for (const auto& connection : (*shards)->connections) {
    scope.Spawn(StatsOfShard(connection.get(), deadline_ns, &stats));
  }
  co_await scope.Join();
  if (stats.empty()) co_return absl::UnavailableError(fmt::format("stats: no shard of {} answered", options_.address));
  std::sort(stats.begin(), stats.end(), [](const ShardStats& a, const ShardStats& b) {
    return std::tie(a.node_id, a.shard) < std::tie(b.node_id, b.shard);
  });
  co_return stats;
}

NodeInfo ClientCore::node() const {
  const std::vector<NodeInfo> nodes = links_->Nodes();
  if (!ClusterLinks::IsClusterAddress(options_.address)) return nodes.front();
  NodeInfo all;
  all.address = all.name = options_.address;
  for (const NodeInfo& node : nodes) {
    all.connected |= node.connected;
    all.shard_count = static_cast<uint16_t>(all.shard_count + node.shard_count);
  }
  return all;
}

}  // namespace incipit
