#include "client/cli/serve_options.h"

#include <charconv>
#include <limits>

#include "client/cli/byte_size.h"
#include "eviction/policies.h"
#include "fmt/format.h"

namespace incipit {
namespace {

constexpr char kAddresses[] = "Addresses";
constexpr char kSpace[] = "Space";
constexpr char kProcess[] = "Process";
constexpr char kCluster[] = "Cluster (docs/membership.md)";
constexpr char kLimits[] = "Limits of one shard";
constexpr char kTiers[] = "Tuning of the tiers, per shard";

template <typename Number>
void AddNumber(CLI::App* command, const char* group, const char* name, Number* value, const char* description,
               Number least = 1) {
  command->add_option(name, *value, description)
      ->type_name("N")
      ->check(CLI::Range(least, std::numeric_limits<Number>::max()).description(""))
      ->capture_default_str()
      ->group(group);
}

void AddShare(CLI::App* command, const char* group, const char* name, double* value, const char* description) {
  command->add_option(name, *value, description)
      ->type_name("0..1")
      ->check(CLI::Range(0.0, 1.0).description(""))
      ->capture_default_str()
      ->group(group);
}

void AddSize(CLI::App* command, const char* group, const char* names, uint64_t* value, const char* description) {
  AddByteSizeOption(command, names, value, description)->group(group);
}

void AddAddresses(CLI::App* command, ServeOptions* options) {
  NodeOptions& node = options->node;
  command->add_option("--listen", node.listen, "where clients connect; port 0 takes a free one")
      ->type_name("HOST:PORT")
      ->capture_default_str()
      ->group(kAddresses);
  command
      ->add_option("--listen-unix", node.listen_unix,
                   "a Unix socket for clients on this host: a path, or @name for an abstract one")
      ->type_name("PATH")
      ->group(kAddresses);
  command
      ->add_option("--unix-mode", options->unix_mode,
                   "permissions of that socket, octal: who may write to it may connect")
      ->type_name("MODE")
      ->capture_default_str()
      ->group(kAddresses);
  command
      ->add_option("--listen-ucx", node.listen_ucx,
                   "also serve the ucx lane there, for RDMA; shard k takes port + k; port 0 takes free ones")
      ->type_name("HOST:PORT")
      ->group(kAddresses);
  command->add_option("--ucx-devices", node.ucx.devices, "of the ucx lane, as UCX names them: mlx5_0:1, eth0")
      ->type_name("LIST")
      ->group(kAddresses);
  command
      ->add_option("--ucx-transports", node.ucx.transports,
                   "of the ucx lane, as UCX names them; default: rc for RDMA devices, else tcp")
      ->type_name("LIST")
      ->group(kAddresses);
  command
      ->add_flag("--insecure", node.insecure,
                 "allow --listen and --listen-ucx beyond this host although nobody is authenticated")
      ->group(kAddresses);
  command
      ->add_option("--tenants", node.tenants_path,
                   "file that says who may use the node, read again at SIGHUP; default: anybody who can connect")
      ->type_name("FILE")
      ->group(kAddresses);
  command->add_option("--http", node.http_listen, "metrics and health; port 0 takes a free one, none turns it off")
      ->type_name("HOST:PORT")
      ->capture_default_str()
      ->group(kAddresses);
  command->add_option("--name,--node-name", node.node_name, "name of the node for people; default: host name")
      ->type_name("NAME")
      ->group(kAddresses);
}

void AddCluster(CLI::App* command, ClusterAgentOptions* cluster) {
  CLI::Option* source = command->add_option("--membership", cluster->source,
                                            "the cluster: FILE with its map, redis://HOST[:PORT][/DB]?cluster=NAME or "
                                            "redis+sentinel://HOST,HOST/MASTER?cluster=NAME");
  source->type_name("SOURCE")->group(kCluster);
  const auto add = [&](CLI::Option* option) { option->needs(source)->group(kCluster); };
  add(command
          ->add_option("--membership-password-file", cluster->password_file,
                       "file with Redis' password, readable by its owner and group only")
          ->type_name("FILE"));
  add(command
          ->add_option("--membership-sentinel-password-file", cluster->sentinel_password_file,
                       "the same of the sentinels' password")
          ->type_name("FILE"));
  add(command->add_option("--zone", cluster->zone, "what fails together with this node: a rack, a site")
          ->type_name("NAME"));
  add(command
          ->add_option("--weight", cluster->weight,
                       "its share of the blocks is its weight over the sum of all; 0 = GiB of RAM and NVMe")
          ->type_name("N")
          ->check(CLI::Range(uint32_t{0}, kMaxNodeWeight).description(""))
          ->capture_default_str());
  add(command
          ->add_option("--advertise", cluster->advertise,
                       "where clients reach this node, one for each lane, as tcp=10.0.0.5:9400; default: where it "
                       "listens")
          ->type_name("LANE=ADDRESS"));
  add(command
          ->add_option("--warm-seconds", cluster->warm_s,
                       "how long the previous owners of blocks are asked for them after nodes came or went; 0 = never")
          ->type_name("N")
          ->check(CLI::Range(uint32_t{0}, uint32_t{86'400}).description(""))
          ->capture_default_str());
  add(command
          ->add_option("--peer-tenant", cluster->peer_tenant,
                       "tenant as which this node asks the others; with tenants, one with the role peer")
          ->type_name("NAME")
          ->capture_default_str());
  add(command
          ->add_option("--peer-lane", cluster->peer_lane,
                       "over which lane this node asks the others; auto: ucx where both have it and it works, else tcp")
          ->type_name("auto|tcp|ucx")
          ->check(CLI::IsMember({"auto", "tcp", "ucx"}).description(""))
          ->capture_default_str());
  add(command->add_option("--peer-secret-file", cluster->peer_secret_file, "file with that tenant's secret")
          ->type_name("FILE"));
  add(command
          ->add_option("--lease-ms", cluster->lease_ms,
                       "how long the cluster waits for a node that is silent; that of the first node counts for all")
          ->type_name("N")
          ->check(CLI::Range(uint32_t{100}, uint32_t{600'000}).description(""))
          ->capture_default_str());
}

void AddSpace(CLI::App* command, ServeOptions* options) {
  NodeOptions& node = options->node;
  command
      ->add_option("--shards", node.shards,
                   "threads, each with its share of the space; fixed once blocks are on NVMe. 0 = one per core")
      ->type_name("N")
      ->check(CLI::Range(0, int{kMaxShardsPerNode}).description(""))
      ->capture_default_str()
      ->group(kSpace);
  AddSize(command, kSpace, "--ram,--ram-bytes", &node.ram_bytes, "RAM tier, all shards together");
  command->add_option("--nvme", node.nvme_path, "directory for the NVMe tier, or a block device; default: no NVMe tier")
      ->type_name("PATH")
      ->group(kSpace);
  AddSize(command, kSpace, "--nvme-bytes", &node.nvme_bytes,
          "NVMe tier, all shards together; needed for a directory, a device is taken whole");
  AddSize(command, kSpace, "--region-bytes", &node.nvme.region_bytes,
          "unit of writing and reclaim; fixed once blocks are on NVMe");
  AddSize(command, kSpace, "--record-bytes", &node.record_bytes,
          "memory for a recording of the latest requests, which `incipit record` reads by --http; 0 = none");
  command
      ->add_option("--state-dir", node.state_dir, "where the node's identity is kept; default: the directory of --nvme")
      ->type_name("PATH")
      ->group(kSpace);
  command->add_flag("--sparse", node.sparse_files, "do not reserve the space of NVMe files ahead (for tests)")
      ->group(kSpace);
  command->add_flag("--no-huge-pages", options->no_huge_pages, "take plain pages for the RAM tier")->group(kSpace);
}

void AddProcess(CLI::App* command, ServeOptions* options) {
  command->add_option("--log-level", options->log_level, "trace, debug, info, warn, error or off")
      ->type_name("LEVEL")
      ->capture_default_str()
      ->group(kProcess);
  command->add_option("--log-format", options->log_format, "text (key=value) or json, one line each, on standard error")
      ->type_name("FORMAT")
      ->capture_default_str()
      ->group(kProcess);
  command->add_option("--ready-file", options->ready_file, "write the address there once the node serves")
      ->type_name("PATH")
      ->group(kProcess);
  command->add_option("--ready-fd", options->ready_fd, "write the address to this open descriptor and close it")
      ->type_name("N")
      ->check(CLI::Range(0, std::numeric_limits<int>::max()).description(""))
      ->group(kProcess);
  AddNumber(command, kProcess, "--stop-timeout-ms", &options->stop_timeout_ms,
            "how long SIGTERM waits for the device before the process ends anyway");
  command->add_flag("--json", options->json, "print one JSON object instead of the line with the address")
      ->group(kProcess);
}

void AddLimits(CLI::App* command, ShardLimits* limits) {
  AddNumber(command, kLimits, "--max-sessions", &limits->max_sessions, "connections; more are refused");
  AddNumber(command, kLimits, "--max-namespaces-per-session", &limits->max_namespaces_per_session,
            "namespaces that one connection opens");
  AddNumber(command, kLimits, "--max-loads", &limits->max_loads, "loads in progress; more are answered busy");
  AddNumber(command, kLimits, "--max-loads-per-session", &limits->max_loads_per_session,
            "loads in progress for one connection; more are answered busy");
  AddSize(command, kLimits, "--max-load-bytes", &limits->max_load_bytes,
          "bytes that loads in progress still have to send; more are answered busy");
  AddNumber(command, kLimits, "--max-lease-ms", &limits->max_lease_ms, "longest lease, in milliseconds");
  AddNumber(command, kLimits, "--max-leases-per-session", &limits->max_leases_per_session, "leases of one connection");
  AddShare(command, kLimits, "--max-pinned-share", &limits->max_pinned_share,
           "share of RAM and NVMe that leases may pin");
  AddNumber(command, kLimits, "--store-wait-ms", &limits->store_wait_ms,
            "how long a block waits for room before it is answered busy");
  AddNumber(command, kLimits, "--load-deadline-ms", &limits->default_load_deadline_ms, "of loads that state none");
  AddNumber(command, kLimits, "--client-stall-ms", &limits->client_stall_ms,
            "a client that takes no bytes, or leaves a frame unfinished, for so long is cut off");
  AddNumber(command, kLimits, "--stamp-past-ms", &limits->stamp_past_ms, "older request stamps count as this old");
  AddSize(command, kLimits, "--load-chunk-bytes", &limits->load_chunk_bytes, "RAM hits sent in one reply frame");
  AddNumber(command, kLimits, "--max-regions-per-session", &limits->regions_per_session.max_regions,
            "pieces of memory that one connection shares");
  AddSize(command, kLimits, "--max-region-bytes-per-session", &limits->regions_per_session.max_bytes,
          "memory that one connection shares, as address space");
  AddNumber(command, kLimits, "--max-claim-ms", &limits->max_claim_ms, "longest claim between two renewals");
  AddNumber(command, kLimits, "--max-claimed-blocks", &limits->max_claimed_blocks,
            "blocks claimed at once; more are answered as claimed by nobody");
  AddNumber(command, kLimits, "--max-claimed-blocks-per-session", &limits->max_claimed_blocks_per_session,
            "the same for one connection");
  AddNumber(command, kLimits, "--max-wait-ms", &limits->max_wait_ms, "longest wait for claimed blocks");
  AddNumber(command, kLimits, "--max-waits-per-session", &limits->max_waits_per_session,
            "such waits of one connection; more are answered busy");
  AddNumber(command, kLimits, "--max-watched-keys", &limits->max_watched_keys,
            "keys of all waits; more are answered busy");
  AddNumber(command, kLimits, "--max-watched-keys-per-session", &limits->max_watched_keys_per_session,
            "the same for one connection");
  AddSize(command, kLimits, "--hot-block-bytes-per-s", &limits->heat.block_bytes_per_s,
          "loads of one block beyond which it should have copies at other nodes of the cluster; 0: none has");
  AddNumber(command, kLimits, "--max-hot-copies", &limits->heat.max_copies, "such copies of a block, at most 7",
            uint32_t{0});
  AddNumber(command, kLimits, "--nvme-reads-per-load", &limits->nvme_reads_per_load, "NVMe reads at once for one load");
}

void AddTiers(CLI::App* command, NodeOptions* node) {
  const std::vector<std::string> policies = PolicyNames();
  node->store.eviction = kDefaultPolicy;
  command
      ->add_option("--eviction", node->store.eviction,
                   "policy of both tiers: lru, gil, auto or another that `incipit plan --help` names and forecasts")
      ->type_name("NAME")
      ->check(CLI::IsMember(policies).description(""))
      ->capture_default_str()
      ->group(kTiers);
  command
      ->add_flag("--eviction-by-flops", node->store.eviction_by_flops,
                 "auto strives for FLOPs saved, by the cost of each block's model, instead of hits")
      ->group(kTiers);
  command
      ->add_option("--eviction-history", node->store.max_ghosts,
                   "evicted blocks that each tier's policy remembers at most, all shards together; some 100 bytes each")
      ->type_name("N")
      ->check(CLI::Range(size_t{1}, kMaxGhosts).description(""))
      ->capture_default_str()
      ->group(kTiers);
  AddSize(command, kTiers, "--nvme-write-bytes-per-day", &node->store.nvme_write_bytes_per_day,
          "budget of demotions, all shards: as it runs out, only the blocks worth most go to NVMe; 0 = no limit");
  AddSize(command, kTiers, "--demotion-backlog-bytes", &node->store.demotion_backlog_bytes,
          "records being written to NVMe at once, at most");
  AddShare(command, kTiers, "--free-ram-target", &node->store.free_ram_target,
           "share of RAM kept free ahead of need by demoting early");
  AddSize(command, kTiers, "--nvme-write-buffer-bytes", &node->nvme.write_buffer_bytes, "one write to the device");
  AddNumber(command, kTiers, "--nvme-write-buffers", &node->nvme.write_buffers, "such writes in rotation", uint32_t{2});
  AddSize(command, kTiers, "--nvme-read-slot-bytes", &node->nvme.read_slot_bytes, "one read from the device");
  AddNumber(command, kTiers, "--nvme-read-slots", &node->nvme.read_slots, "such reads at once, and their memory");
  AddShare(command, kTiers, "--nvme-fill-limit", &node->nvme.fill_limit,
           "share of the space for records that are nowhere else; the rest lets reclaim work");
  AddNumber(command, kTiers, "--nvme-read-timeout-ms", &node->nvme.read_timeout_ms,
            "a read slower than this is a miss");
  AddNumber(command, kTiers, "--nvme-suspend-after-errors", &node->nvme.suspend_after_errors,
            "errors or timeouts in a row that take the device out of service");
  AddNumber(command, kTiers, "--nvme-probe-interval-ms", &node->nvme.probe_interval_ms,
            "how often a device out of service is tried");
  AddNumber(command, kTiers, "--nvme-recovery-depth", &node->nvme.recovery_depth, "regions read at once at start-up");
}

}  // namespace

void AddServeOptions(CLI::App* command, ServeOptions* options) {
  AddAddresses(command, options);
  AddCluster(command, &options->cluster);
  AddSpace(command, options);
  AddProcess(command, options);
  AddLimits(command, &options->node.limits);
  AddTiers(command, &options->node);
}

absl::Status FinishServeOptions(ServeOptions* options) {
  NodeOptions& node = options->node;
  node.huge_pages = !options->no_huge_pages;
  if (node.http_listen == "none") node.http_listen.clear();
  const std::string& mode = options->unix_mode;
  const auto [end, error] = std::from_chars(mode.data(), mode.data() + mode.size(), node.unix_mode, 8);
  if (error != std::errc() || end != mode.data() + mode.size() || node.unix_mode > 0777) {
    return absl::InvalidArgumentError(
        fmt::format("--unix-mode {}: permissions in octal, 0600 for one user, 0660 for a group", mode));
  }
  if (node.nvme_path.empty() && node.nvme_bytes > 0) {
    return absl::InvalidArgumentError("--nvme-bytes is given without --nvme: also say where, a directory or a device");
  }
  if (!options->cluster.source.empty()) {
    if (const absl::Status valid = ClusterAgent::Check(options->cluster); !valid.ok()) return valid;
  }
  if (node.ram_bytes == 0) return absl::InvalidArgumentError("--ram 0: the RAM tier cannot be left out; 64MiB, say");
  return absl::OkStatus();
}

}  // namespace incipit
