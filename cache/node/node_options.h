// What an operator may set for a node. docs/operations.md describes each.
#pragma once

#include <cstdint>
#include <string>

#include "cache/shard/shard_options.h"
#include "transport/ucx/ucx_address.h"

namespace incipit {

inline constexpr uint16_t kMaxShardsPerNode = 256;

struct NodeOptions {
  std::string listen = "127.0.0.1:9400";       // port 0 takes a free one
  std::string listen_unix;                     // "/path/of/socket" or "@name"; empty = no unix lane
  uint32_t unix_mode = 0600;                   // of the socket's file: who may write to it may connect
  std::string listen_ucx;                      // "host:port" of the ucx lane; shard k takes port + k. Empty = none
  UcxSettings ucx;                             // which devices and transports that lane uses; devices empty = loopback
  bool insecure = false;                       // allow listening beyond loopback without credentials
  std::string tenants_path;                    // who may use the node (cache/tenants/tenant_file.h); empty = anybody
  AuditSink audit;                             // where refusals are written; default: the log
  std::string http_listen = "127.0.0.1:9401";  // metrics and health; empty = none
  uint16_t shards = 0;                         // 0 = one per core
  uint64_t ram_bytes = 1ull << 30;             // over all shards
  std::string nvme_path;                       // directory for region files, or a block device; empty = no NVMe tier
  uint64_t nvme_bytes = 0;                     // over all shards; 0 with a device = all of it
  std::string state_dir;                       // where the node's identity is kept; default: nvme_path if a directory
  bool sparse_files = false;                   // do not preallocate region files (tests)
  bool huge_pages = true;
  uint64_t record_bytes = 0;  // memory for a recording of the latest requests, shown over HTTP; 0 = none
  std::string node_name;      // default: host name
  ShardLimits limits;
  BlockStoreOptions store;  // ram_bytes is set from above
  NvmeOptions nvme;         // shard numbers are set from above
};

}  // namespace incipit
