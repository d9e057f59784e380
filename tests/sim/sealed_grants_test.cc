// Sealed blocks in a namespace that its owner grants to other tenants: whoever has the key reads and writes them, since
// what ties them to their place names the owner, not who happens to be asking.
#include <gtest/gtest.h>

#include "client/src/codec/sealed_codec.h"
#include "client/src/core/client_core.h"
#include "tests/support/blocks.h"
#include "tests/support/sim_node.h"
#include "tests/support/tenants.h"

namespace incipit {
namespace {

using testing::KeyOf;
using testing::MakeTable;
using testing::MakeTenant;
using testing::SecretOf;
using testing::SimNode;
using Bytes = std::vector<uint8_t>;

std::shared_ptr<const SealingKey> SealingKeyOf(uint8_t seed) {
  Bytes bytes(SealingKey::kBytes, 0x11);
  bytes[0] = seed;
  return *SealingKey::FromBytes(bytes);
}

class SealedGrants : public ::testing::Test {
 protected:
  SealedGrants() {
    ShardOptions options;
    options.store.ram_bytes = 4 << 20;
    const TenantTableRef tenants = MakeTable(
        {MakeTenant("owner"), MakeTenant("guest"), MakeTenant("stranger")},
        {{"owner", "model", "guest", Role::kRead | Role::kWrite}, {"owner", "model", "stranger", Role::kRead}});
    EXPECT_TRUE(node_.Start(options, {nullptr}, tenants).ok());
  }
  ~SealedGrants() override {
    for (auto& client : clients_) loop_.Run(client->Stop());
    node_.Stop();
  }
  // `owner` empty: the tenant's own namespace.
  ClientCore* Connect(const std::string& tenant, const std::string& owner, std::shared_ptr<const SealingKey> key) {
    ClientOptions options;
    options.address = node_.address();
    options.model = "model";
    options.tenant = tenant;
    options.secret = SecretOf(tenant);
    options.namespace_owner = owner;
    options.layout = layout_;
    options.sealing_key = std::move(key);
    connectors_.push_back(network_.MakeConnector());
    clients_.push_back(std::make_unique<ClientCore>(&loop_, connectors_.back().get(), random_.get(), options));
    clients_.back()->Start();
    const absl::Status connected = loop_.Run(clients_.back()->WaitConnected());
    EXPECT_TRUE(connected.ok()) << connected;
    return clients_.back().get();
  }
  Bytes PayloadAt(uint64_t block) const { return testing::PayloadOf(KeyOf(block), layout_.groups[0].BlockBytes()); }
  BlockStatus Store(ClientCore* client, uint64_t block) {
    const Bytes key = KeyOf(block);
    Bytes payload = PayloadAt(block);
    StoreRequest request{.items = {{.key = key, .buffer = {payload.data(), payload.size()}}}, .offer_first = false};
    const auto stored = loop_.Run(client->Store(std::move(request)));
    EXPECT_TRUE(stored.ok()) << stored.status();
    return stored.ok() ? stored->status[0] : BlockStatus::kIoError;
  }
  BlockStatus Load(ClientCore* client, uint64_t block) {
    const Bytes key = KeyOf(block);
    Bytes into(layout_.groups[0].BlockBytes(), 0xcc);
    const auto loaded = loop_.Run(client->Load({.items = {{.key = key, .buffer = {into.data(), into.size()}}}}));
    EXPECT_TRUE(loaded.ok()) << loaded.status();
    if (!loaded.ok()) return BlockStatus::kIoError;
    EXPECT_EQ(loaded->status[0] == BlockStatus::kOk, into == PayloadAt(block));
    return loaded->status[0];
  }

  SimLoop loop_;
  std::unique_ptr<Random> random_ = MakeSeededRandom(5);
  MemNetwork network_{&loop_, random_.get()};
  SimNode node_{&loop_, &network_, random_.get()};
  const Layout layout_ = testing::SmallLayout();
  std::vector<std::unique_ptr<Connector>> connectors_;
  std::vector<std::unique_ptr<ClientCore>> clients_;
};

TEST_F(SealedGrants, OwnerAndGuestsOpenWhatTheOtherSealed) {
  ClientCore* owner = Connect("owner", "", SealingKeyOf(1));
  ClientCore* guest = Connect("guest", "owner", SealingKeyOf(1));
  ClientCore* reader = Connect("stranger", "owner", SealingKeyOf(1));
  ASSERT_EQ(Store(owner, 1), BlockStatus::kOk);
  ASSERT_EQ(Store(guest, 2), BlockStatus::kOk);
  for (ClientCore* client : {owner, guest, reader}) {
    EXPECT_EQ(Load(client, 1), BlockStatus::kOk);
    EXPECT_EQ(Load(client, 2), BlockStatus::kOk);
    EXPECT_EQ(client->counters().forged_segments, 0u);
  }
  EXPECT_EQ(Store(guest, 1), BlockStatus::kPresent);
}

TEST_F(SealedGrants, GrantWithoutTheKeyAndKeyWithoutTheGrantFindNothing) {
  ASSERT_EQ(Store(Connect("owner", "", SealingKeyOf(1)), 1), BlockStatus::kOk);
  EXPECT_EQ(Load(Connect("guest", "owner", SealingKeyOf(2)), 1), BlockStatus::kMiss);
  EXPECT_EQ(Load(Connect("guest", "owner", nullptr), 1), BlockStatus::kMiss);
  EXPECT_EQ(Load(Connect("guest", "", SealingKeyOf(1)), 1), BlockStatus::kMiss) << "its own namespace is another";
}

}  // namespace
}  // namespace incipit
