#include "client/cli/serve_options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace incipit {
namespace {

using testing::HasSubstr;

// The error of parsing or finishing, or "".
std::string Parse(std::vector<std::string> arguments, ServeOptions* options) {
  CLI::App app;
  AddServeOptions(&app, options);
  try {
    app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
  } catch (const CLI::ParseError& error) {
    return error.what();
  }
  return std::string(FinishServeOptions(options).message());
}

TEST(ServeOptionsTest, DefaultsAreThoseOfTheNode) {
  ServeOptions options;
  EXPECT_EQ(Parse({}, &options), "");
  const NodeOptions defaults;
  EXPECT_EQ(options.node.listen, defaults.listen);
  EXPECT_EQ(options.node.http_listen, defaults.http_listen);
  EXPECT_EQ(options.node.ram_bytes, defaults.ram_bytes);
  EXPECT_TRUE(options.node.huge_pages);
}

TEST(ServeOptionsTest, FlagsReachTheirSettings) {
  ServeOptions options;
  EXPECT_EQ(Parse({"--listen",
                   "0.0.0.0:1",
                   "--insecure",
                   "--shards",
                   "3",
                   "--ram",
                   "2GiB",
                   "--nvme",
                   "/x",
                   "--nvme-bytes",
                   "1TiB",
                   "--region-bytes",
                   "64MiB",
                   "--state-dir",
                   "/y",
                   "--sparse",
                   "--no-huge-pages",
                   "--name",
                   "n",
                   "--max-sessions",
                   "5",
                   "--max-load-bytes",
                   "1m",
                   "--max-pinned-share",
                   "0.25",
                   "--client-stall-ms",
                   "7",
                   "--nvme-read-timeout-ms",
                   "9",
                   "--eviction",
                   "auto",
                   "--eviction-history",
                   "1000",
                   "--free-ram-target",
                   "0.1",
                   "--ready-fd",
                   "3",
                   "--stop-timeout-ms",
                   "11"},
                  &options),
            "");
  const NodeOptions& node = options.node;
  EXPECT_EQ(node.listen, "0.0.0.0:1");
  EXPECT_TRUE(node.insecure);
  EXPECT_EQ(node.shards, 3);
  EXPECT_EQ(node.ram_bytes, 2ull << 30);
  EXPECT_EQ(node.nvme_path, "/x");
  EXPECT_EQ(node.nvme_bytes, 1ull << 40);
  EXPECT_EQ(node.nvme.region_bytes, 64ull << 20);
  EXPECT_EQ(node.state_dir, "/y");
  EXPECT_TRUE(node.sparse_files);
  EXPECT_FALSE(node.huge_pages);
  EXPECT_EQ(node.node_name, "n");
  EXPECT_EQ(node.limits.max_sessions, 5u);
  EXPECT_EQ(node.limits.max_load_bytes, 1ull << 20);
  EXPECT_EQ(node.limits.max_pinned_share, 0.25);
  EXPECT_EQ(node.limits.client_stall_ms, 7u);
  EXPECT_EQ(node.nvme.read_timeout_ms, 9u);
  EXPECT_EQ(node.store.eviction, "auto");
  EXPECT_EQ(node.store.max_ghosts, 1000u);
  EXPECT_EQ(node.store.free_ram_target, 0.1);
  EXPECT_EQ(options.ready_fd, 3);
  EXPECT_EQ(options.stop_timeout_ms, 11u);
}

TEST(ServeOptionsTest, RamHasTheNameOfTheOtherCommandsToo) {
  ServeOptions options;
  EXPECT_EQ(Parse({"--ram-bytes", "1GiB"}, &options), "");
  EXPECT_EQ(options.node.ram_bytes, 1ull << 30);
}

TEST(ServeOptionsTest, UnixSocketWithItsMode) {
  ServeOptions options;
  EXPECT_EQ(Parse({}, &options), "");
  EXPECT_EQ(options.node.listen_unix, "");
  EXPECT_EQ(options.node.unix_mode, 0600u);
  EXPECT_EQ(
      Parse({"--listen-unix", "/run/node.sock", "--unix-mode", "0660", "--max-regions-per-session", "2"}, &options),
      "");
  EXPECT_EQ(options.node.listen_unix, "/run/node.sock");
  EXPECT_EQ(options.node.unix_mode, 0660u);
  EXPECT_EQ(options.node.limits.regions_per_session.max_regions, 2u);
}

TEST(ServeOptionsTest, HttpCanBeTurnedOff) {
  for (const char* none : {"none", ""}) {
    ServeOptions options;
    EXPECT_EQ(Parse({"--http", none}, &options), "");
    EXPECT_EQ(options.node.http_listen, "");
  }
}

TEST(ServeOptionsTest, MistakesNameTheFlag) {
  const std::pair<std::vector<std::string>, const char*> cases[] = {
      {{"--shards", "257"}, "--shards"},
      {{"--shards", "-1"}, "--shards"},
      {{"--ram", "lots"}, "--ram"},
      {{"--ram", "0"}, "--ram"},
      {{"--nvme-bytes", "1g"}, "--nvme-bytes"},
      {{"--max-pinned-share", "1.5"}, "--max-pinned-share"},
      {{"--max-sessions", "0"}, "--max-sessions"},
      {{"--nvme-write-buffers", "1"}, "--nvme-write-buffers"},
      {{"--ready-fd", "-1"}, "--ready-fd"},
      {{"--max-loads", "4294967296"}, "--max-loads"},
      {{"--unix-mode", "0999"}, "--unix-mode"},
      {{"--unix-mode", "1777"}, "--unix-mode"},
      {{"--unix-mode", ""}, "--unix-mode"},
  };
  for (const auto& [arguments, flag] : cases) {
    ServeOptions options;
    EXPECT_THAT(Parse(arguments, &options), HasSubstr(flag));
  }
}

}  // namespace
}  // namespace incipit
