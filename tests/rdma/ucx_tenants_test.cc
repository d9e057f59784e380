// Credentials on the ucx lane: the same as on every lane, though each shard accepts for itself.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <mutex>

#include "cache/node/node.h"
#include "client/include/incipit/client.h"
#include "tests/support/blocks.h"
#include "tests/support/temp_path.h"
#include "tests/support/ucx_here.h"

namespace incipit::testing {
namespace {

using ::testing::HasSubstr;

constexpr char kSecret[] = "0123456789abcdef";
constexpr char kTenants[] = R"(
[[tenant]]
name = "search"
secret = "30313233343536373839616263646566"
)";

class UcxTenantsTest : public ::testing::Test {
 protected:
  UcxTenantsTest() {
    std::ofstream(path_) << kTenants;
    chmod(path_.c_str(), 0600);
    options_.listen = "127.0.0.1:0";
    options_.http_listen = "";
    options_.listen_ucx = TestUcxHost() + ":0";
    options_.insecure = !TestUcxHost().starts_with("127.");  // the address of a guest's RDMA device
    options_.ucx = TestUcxSettings();
    options_.shards = 2;
    options_.ram_bytes = 64 << 20;
    options_.huge_pages = false;
    options_.tenants_path = path_;
    options_.audit = [this](const std::string& line) {
      std::lock_guard<std::mutex> lock(mutex_);
      refusals_ += line + "\n";
    };
  }
  void SetUp() override { INCIPIT_SKIP_WITHOUT_UCX(); }
  ~UcxTenantsTest() override {
    node_.reset();  // its threads write refusals
    std::filesystem::remove(path_);
  }
  void Start() {
    auto node = Node::Start(options_);
    ASSERT_TRUE(node.ok()) << node.status();
    node_ = *std::move(node);
  }
  absl::StatusOr<std::unique_ptr<Client>> Connect(const std::string& tenant, const std::string& secret) {
    ClientOptions options;
    options.address = node_->ucx_address();
    options.tenant = tenant;
    options.secret = secret;
    options.model = "model";
    options.layout = layout_;
    options.progress = Progress::kCaller;
    options.connect_timeout_ms = 20'000;  // emulated machines take their time
    return Client::Connect(std::move(options));
  }
  std::string Refusals() {
    std::lock_guard<std::mutex> lock(mutex_);
    return refusals_;
  }

  const std::string path_ = TempPath("tenants");
  std::mutex mutex_;
  std::string refusals_;
  NodeOptions options_;
  Layout layout_ = SmallLayout(4, 1024);  // 64 KiB blocks
  std::unique_ptr<Node> node_;
};

TEST_F(UcxTenantsTest, EveryShardTakesThoseWhoProveTheirSecret) {
  Start();
  auto client = Connect("search", kSecret);
  ASSERT_TRUE(client.ok()) << client.status();
  for (const ShardReport& report : node_->Reports()) EXPECT_EQ(report.sessions, 1u) << "shard " << report.shard;
  std::vector<uint8_t> key = KeyOf(1), payload = PayloadOf(key, layout_.groups[0].BlockBytes());
  std::vector<uint8_t> got(payload.size());
  StoreRequest store;
  store.items.push_back({.key = key, .buffer = {payload.data(), payload.size()}});
  store.deadline_ms = 20'000;
  ASSERT_EQ((*client)->Store(std::move(store))->Count(BlockStatus::kOk), 1u);
  LoadRequest load;
  load.items.push_back({.key = key, .buffer = {got.data(), got.size()}});
  load.deadline_ms = 20'000;
  EXPECT_EQ((*client)->Load(std::move(load))->hits, 1u);
  EXPECT_EQ(got, payload);
  EXPECT_EQ(Refusals(), "");
}

TEST_F(UcxTenantsTest, WrongOrMissingSecretsAreRefusedAndTheirHostIsNamed) {
  Start();
  EXPECT_TRUE(absl::IsUnauthenticated(Connect("search", "0123456789abcdeg").status()));
  EXPECT_TRUE(absl::IsUnauthenticated(Connect("nobody", kSecret).status()));
  EXPECT_TRUE(absl::IsUnauthenticated(Connect("search", "").status()));
  uint64_t failures = 0;
  for (const ShardReport& report : node_->Reports()) {
    EXPECT_EQ(report.sessions, 0u);
    failures += report.requests.auth_failures;
  }
  EXPECT_GE(failures, 3u);
  EXPECT_THAT(Refusals(), HasSubstr(TestUcxHost())) << "failures are counted by host";
  EXPECT_TRUE(Connect("search", kSecret).ok());
}

TEST_F(UcxTenantsTest, SessionsOfTenantsTakenOffTheListAreCutOnEveryShard) {
  Start();
  auto client = Connect("search", kSecret);
  ASSERT_TRUE(client.ok()) << client.status();
  std::ofstream(path_) << "[[tenant]]\nname = \"other\"\nsecret = \"30313233343536373839616263646566\"\n";
  ASSERT_TRUE(node_->ReloadTenants().ok());
  const auto sessions = [this] {
    uint64_t sum = 0;
    for (const ShardReport& report : node_->Reports()) sum += report.sessions;
    return sum;
  };
  while (sessions() > 0) (*client)->Poll(1000);  // the test's own time limit ends it
  EXPECT_TRUE(absl::IsUnauthenticated(Connect("search", kSecret).status()));
}

TEST_F(UcxTenantsTest, ListeningBeyondThisHostNeedsTenantsAndNotUcxTcp) {
  options_.insecure = false;
  options_.listen_ucx = "0.0.0.0:0";
  options_.ucx = {"eth0", "tcp"};
  const absl::Status over_tcp = Node::Start(options_).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(over_tcp)) << over_tcp;
  EXPECT_THAT(std::string(over_tcp.message()), HasSubstr("--insecure"));
  options_.ucx = {"nosuch_0:1", "rc"};
  const absl::Status over_rdma = Node::Start(options_).status();
  EXPECT_TRUE(absl::IsUnavailable(over_rdma)) << "allowed, but there is no such device: " << over_rdma;
  options_.tenants_path = "";
  const absl::Status without_tenants = Node::Start(options_).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(without_tenants)) << without_tenants;
  EXPECT_THAT(std::string(without_tenants.message()), HasSubstr("--tenants"));
}

}  // namespace
}  // namespace incipit::testing
