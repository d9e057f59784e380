// What every command that talks to a node has in common.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "incipit/client.h"

namespace incipit {

inline constexpr char kDefaultAddress[] = "tcp://127.0.0.1:9400";

struct ConnectOptions {
  std::string address = kDefaultAddress;
  std::vector<std::string> cluster;  // seeds: addresses of nodes of the cluster to use instead of that node
  std::string tenant = "default";
  std::string secret_file;
  std::string owner;             // of the blocks; empty = tenant
  std::string sealing_key_file;  // empty: blocks are not sealed
  std::string codec;             // empty: blocks are stored as they are
  uint32_t timeout_ms = 5000;    // of connecting, and of each call
  bool json = false;
};

// Adds --connect, --cluster, --tenant, --secret-file, --owner, --sealing-key-file, --codec, --timeout-ms and
// --json.
void AddConnectOptions(CLI::App* command, ConnectOptions* options);

// Adds --cluster, which says what --connect would say otherwise.
void AddClusterOption(CLI::App* command, CLI::Option* connect, std::vector<std::string>* seeds);
// Adds --secret-file.
void AddSecretFileOption(CLI::App* command, std::string* secret_file);

// A client of the node, or of the cluster if --cluster is given, that does its work on the calling thread. Errors name
// the flag and what to look at.
absl::StatusOr<std::unique_ptr<Client>> ConnectTo(const ConnectOptions& options, const std::string& model,
                                                  const Layout& layout);

}  // namespace incipit
