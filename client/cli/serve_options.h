// The flags of `serve`.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>

#include "cache/node/node_options.h"
#include "cluster/node/cluster_agent.h"

namespace incipit {

struct ServeOptions {
  NodeOptions node;
  ClusterAgentOptions cluster;  // source is empty: the node is in no cluster
  bool no_huge_pages = false;
  std::string unix_mode = "0600";
  std::string log_level = "info";
  std::string log_format = "text";
  int ready_fd = -1;
  std::string ready_file;
  uint32_t stop_timeout_ms = 30'000;
  bool json = false;
};

// Adds a flag for every setting, in groups. `options` must outlive the parsing.
void AddServeOptions(CLI::App* command, ServeOptions* options);

// What the parser cannot check by itself, and what follows from several flags. InvalidArgument names the flag.
absl::Status FinishServeOptions(ServeOptions* options);

}  // namespace incipit
