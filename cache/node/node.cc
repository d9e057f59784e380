#include "cache/node/node.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <thread>

#include "absl/strings/str_cat.h"
#include "cache/base/status_macros.h"
#include "cache/tenants/tenant_file.h"
#include "spdlog/spdlog.h"
#include "transport/tcp/free_ports.h"
#include "transport/unix/unix_address.h"

namespace incipit {
namespace {

constexpr uint64_t kMinRamBytesPerShard = 4 << 20;

// Of --listen or --listen-ucx.
absl::Status CheckListen(const NodeOptions& options, const std::string& option, const std::string& listen) {
  ASSIGN_OR_RETURN(const TcpAddress address, ResolveTcpAddress(listen));
  if (address.IsLoopback() || !options.tenants_path.empty() || options.insecure) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat(option, " ", listen,
                   ": beyond this host, anybody who reaches the port could read and store; "
                   "name who may with --tenants, listen on 127.0.0.1, or say --insecure on a trusted network"));
}

// Fills in what the address implies: the device, and the port if it is 0.
absl::Status PrepareUcx(NodeOptions* options) {
  if (options->listen_ucx.empty()) return absl::OkStatus();
  RETURN_IF_ERROR(CheckListen(*options, "listen-ucx", options->listen_ucx));
  ASSIGN_OR_RETURN(const TcpAddress address, ResolveTcpAddress(options->listen_ucx));
  // Credentials are asked for by what UCX carries, not by UCX.
  if (!address.IsLoopback() && !options->insecure && options->ucx.UsesTcp()) {
    return absl::FailedPreconditionError(
        absl::StrCat("listen-ucx ", options->listen_ucx,
                     ": UCX's tcp transport lets whoever reaches its ports write to the node's memory, with or without "
                     "credentials; name RDMA devices, or say --insecure on a network where all hosts are trusted "
                     "(docs/security.md)"));
  }
  const auto port = static_cast<uint16_t>(PortOf(address));
  if (port == 0) {
    ASSIGN_OR_RETURN(const uint16_t first, FindFreePorts(address, options->shards));
    options->listen_ucx = WithPort(address, first).ToString();
  } else if (port > UINT16_MAX - options->shards + 1) {
    return absl::InvalidArgumentError(absl::StrCat("listen-ucx ", options->listen_ucx, ": ", options->shards,
                                                   " shards need as many ports from there on"));
  }
  UcxAddress parsed;
  parsed.host_port = options->listen_ucx;
  parsed.settings = options->ucx;
  if (parsed.settings.devices.empty() && !address.IsLoopback()) {
    return absl::InvalidArgumentError("listen-ucx beyond this host: also give --ucx-devices, mlx5_0:1 or eth0, say");
  }
  const std::string text =
      parsed.settings.devices.empty() ? absl::StrCat("ucx://", parsed.host_port) : parsed.ToString();
  ASSIGN_OR_RETURN(parsed, UcxAddress::Parse(text));
  options->ucx = parsed.settings;
  return absl::OkStatus();
}

// Finds out what nvme_path is and makes the directory if need be.
absl::StatusOr<bool> PrepareNvmePath(NodeOptions* options) {
  if (options->nvme_path.empty()) return false;
  struct stat info {};
  if (stat(options->nvme_path.c_str(), &info) == 0 && S_ISBLK(info.st_mode)) {
    if (options->state_dir.empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat("nvme ", options->nvme_path, " is a device: also give --state-dir, a directory for node.json"));
    }
    return true;
  }
  std::error_code error;
  std::filesystem::create_directories(options->nvme_path, error);
  if (error) return absl::UnavailableError(absl::StrCat("create ", options->nvme_path, ": ", error.message()));
  if (options->state_dir.empty()) options->state_dir = options->nvme_path;
  if (options->nvme_bytes == 0) {
    return absl::InvalidArgumentError(absl::StrCat("nvme directory ", options->nvme_path, ": also give --nvme-bytes"));
  }
  return false;
}

}  // namespace

absl::StatusOr<ShardThreadOptions> Node::OptionsOf(uint16_t shard) const {
  ShardThreadOptions result;
  result.shard_count = options_.shards;
  result.shard.identity.node_id = identity_.node_id;
  result.shard.identity.placement_seed = identity_.placement_seed;
  result.shard.identity.incarnation = identity_.incarnation;
  result.shard.identity.epoch = StaticMembership::kEpoch;
  result.shard.identity.shard = shard;
  result.shard.identity.shard_count = options_.shards;
  result.shard.identity.node_name = options_.node_name;
  result.shard.limits = options_.limits;
  result.shard.audit = options_.audit;
  result.shard.recorder = recorder_;
  result.tenants = tenants_;
  result.shard.store = options_.store;
  result.shard.store.ram_peers = ram_peers_;
  result.shard.store.all_peers = all_peers_;
  result.shard.store.max_ghosts = std::max<size_t>(1, options_.store.max_ghosts / options_.shards);
  result.shard.store.nvme_write_bytes_per_day =
      (options_.store.nvme_write_bytes_per_day + options_.shards - 1) / options_.shards;
  result.shard.store.ram_bytes = options_.ram_bytes / options_.shards;
  result.shard.store.huge_pages = options_.huge_pages;
  result.shard.nvme = options_.nvme;
  result.shard.nvme.shard = shard;
  result.shard.nvme.shard_count = options_.shards;
  if (result.shard.store.ram_bytes < kMinRamBytesPerShard) {
    return absl::InvalidArgumentError(absl::StrCat("ram of ", options_.ram_bytes, " bytes over ", options_.shards,
                                                   " shards: at least ", kMinRamBytesPerShard,
                                                   " each; fewer shards or more RAM"));
  }
  if (shard == 0) {
    result.listen = options_.listen;
    result.listen_unix = options_.listen_unix;
    result.unix_mode = options_.unix_mode;
  }
  if (!options_.listen_ucx.empty()) {
    ASSIGN_OR_RETURN(const TcpAddress first, ResolveTcpAddress(options_.listen_ucx));
    result.listen_ucx = WithPort(first, static_cast<uint16_t>(PortOf(first) + shard)).ToString();
    result.ucx = options_.ucx;
  }
  if (options_.nvme_path.empty()) return result;
  result.has_disk = true;
  result.disk.bytes = options_.nvme_bytes / options_.shards / kDiskPageBytes * kDiskPageBytes;
  result.disk.preallocate = !options_.sparse_files;
  result.disk.path =
      nvme_is_device_ ? options_.nvme_path : absl::StrCat(options_.nvme_path, "/shard-", shard, ".incipit");
  if (nvme_is_device_) result.disk.start_bytes = shard * result.disk.bytes;
  return result;
}

absl::StatusOr<std::unique_ptr<Node>> Node::Start(NodeOptions options) {
  std::unique_ptr<Node> node(new Node());
  if (options.shards == 0) {
    options.shards =
        static_cast<uint16_t>(std::clamp<unsigned>(std::thread::hardware_concurrency(), 1, kMaxShardsPerNode));
  }
  if (options.shards > kMaxShardsPerNode) {
    return absl::InvalidArgumentError(absl::StrCat("shards ", options.shards, ": at most ", kMaxShardsPerNode));
  }
  if (options.node_name.empty()) {
    char host[64] = {};
    gethostname(host, sizeof(host) - 1);
    options.node_name = host;
  }
  RETURN_IF_ERROR(CheckListen(options, "listen", options.listen));
  RETURN_IF_ERROR(PrepareUcx(&options));
  if (!options.tenants_path.empty()) {
    ASSIGN_OR_RETURN(node->tenants_, ReadTenantFile(options.tenants_path));
  }
  if (!options.audit) options.audit = [](const std::string& line) { spdlog::warn("{}", line); };
  if (!options.listen_unix.empty()) RETURN_IF_ERROR(ParseUnixAddress(options.listen_unix).status());
  ASSIGN_OR_RETURN(node->nvme_is_device_, PrepareNvmePath(&options));
  const std::unique_ptr<Random> random = MakeSystemRandom();
  if (!options.state_dir.empty()) std::filesystem::create_directories(options.state_dir);
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const auto now_ms = static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(now).count());
  ASSIGN_OR_RETURN(node->identity_,
                   NodeIdentity::LoadOrCreate(options.state_dir, options.shards, random.get(), now_ms));
  node->options_ = options;
  if (options.shards > 1) {
    node->ram_peers_ = std::make_shared<PolicyPeers>(options.shards);
    node->all_peers_ = std::make_shared<PolicyPeers>(options.shards);
  }
  if (options.record_bytes > 0) node->recorder_ = std::make_shared<RequestRecorder>(options.record_bytes);
  for (uint16_t shard = 0; shard < options.shards; ++shard) {
    ASSIGN_OR_RETURN(ShardThreadOptions thread_options, node->OptionsOf(shard));
    Node* raw = node.get();
    node->shards_.push_back(std::make_unique<ShardThread>(
        std::move(thread_options),
        [raw](uint16_t target, int fd, std::string peer, wire::Hello hello, uint64_t request_id, SessionPass pass) {
          raw->shards_[target]->TakeConnection(fd, std::move(peer), std::move(hello), request_id, std::move(pass));
        }));
  }
  // The one that accepts comes last, so that no connection meets a shard that is not there yet.
  for (size_t i = options.shards; i > 0; --i) {
    const absl::Status status = node->shards_[i - 1]->Start();
    if (status.ok()) continue;
    for (size_t j = i; j < options.shards; ++j) node->shards_[j]->RequestStop(1000);
    for (size_t j = i; j < options.shards; ++j) {
      const absl::Status stopped = node->shards_[j]->Join();
      if (!stopped.ok()) spdlog::warn("event=shard_stop_failed shard={} cause=\"{}\"", j, stopped.ToString());
    }
    return status;
  }
  node->membership_ = std::make_unique<StaticMembership>(std::vector<std::string>{node->address()}, options.shards);
  spdlog::info("event=node_started node={:016x} address={} shards={} ram_bytes={} nvme={} nvme_bytes={} tenants={}",
               node->identity_.node_id, node->address(), options.shards, options.ram_bytes,
               options.nvme_path.empty() ? "none" : options.nvme_path, options.nvme_bytes,
               node->tenants_ == nullptr ? "anybody" : std::to_string(node->tenants_->tenants().size()));
  return node;
}

absl::Status Node::ReloadTenants() {
  if (tenants_ == nullptr) {
    return absl::FailedPreconditionError("the node was started without --tenants; start it with them");
  }
  ASSIGN_OR_RETURN(const TenantTableRef tenants, ReadTenantFile(options_.tenants_path));
  // The one that accepts comes last: a shard knows a tenant before it gets its first connection.
  for (size_t i = shards_.size(); i > 0; --i) shards_[i - 1]->SetTenants(tenants);
  spdlog::info("event=tenants_reloaded tenants={}", tenants->tenants().size());
  return absl::OkStatus();
}

void Node::PublishMap(const PublishedMapRef& map) {
  for (const auto& shard : shards_) shard->SetClusterMap(map);
}

void Node::OnEachShard(const std::function<void(Shard*, UringLoop*)>& work) {
  for (const auto& shard : shards_) shard->Post(work);
}

Node::~Node() {
  const absl::Status status = Stop(5000);
  if (!status.ok()) spdlog::warn("event=node_stop_failed cause=\"{}\"", status.ToString());
}

absl::Status Node::Stop(int64_t timeout_ms) {
  absl::Status result;
  if (!shards_.empty()) shards_[0]->RequestStop(timeout_ms);  // The acceptor first.
  for (const auto& shard : shards_) shard->RequestStop(timeout_ms);
  for (const auto& shard : shards_) result.Update(shard->Join());
  return result;
}

std::string Node::unix_address() const {
  const absl::StatusOr<UnixAddress> address = ParseUnixAddress(options_.listen_unix);
  return address.ok() ? address->ToString() : "";
}

std::string Node::address() const { return shards_[0]->address().ToString(); }

std::string Node::ucx_address() const {
  if (options_.listen_ucx.empty()) return "";
  return UcxAddress{shards_[0]->ucx_address().ToString(), options_.ucx}.ToString();
}

std::vector<ShardReport> Node::Reports(int64_t timeout_ms) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(timeout_ms);
  std::vector<std::future<std::optional<ShardReport>>> answers;
  for (const auto& shard : shards_) answers.push_back(shard->RequestReport());
  std::vector<ShardReport> reports;
  for (auto& answer : answers) {
    if (answer.wait_until(deadline) != std::future_status::ready) continue;
    if (std::optional<ShardReport> report = answer.get()) reports.push_back(*std::move(report));
  }
  return reports;
}

}  // namespace incipit
