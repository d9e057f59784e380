#include "cache/node/node.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "client/include/incipit/client.h"
#include "tests/support/blocks.h"

namespace incipit {
namespace {

using testing::KeyOf;
using testing::PayloadOf;

// A real node with real threads, sockets and files.
class NodeTest : public ::testing::Test {
 protected:
  NodeTest() {
    std::string pattern = ::testing::TempDir() + "/node.XXXXXX";
    directory_ = mkdtemp(pattern.data());
    options_.listen = "127.0.0.1:0";
    options_.http_listen = "";
    options_.shards = 3;
    options_.ram_bytes = 24 << 20;
    options_.nvme_path = directory_;
    options_.nvme_bytes = 96 << 20;
    options_.nvme.region_bytes = 4 << 20;
    options_.huge_pages = false;
  }
  ~NodeTest() override { std::filesystem::remove_all(directory_); }

  std::unique_ptr<Client> Connect(Node* node, Progress progress) {
    ClientOptions options;
    options.address = "tcp://" + node->address();
    options.model = "model";
    options.layout = layout_;
    options.progress = progress;
    auto client = Client::Connect(options);
    EXPECT_TRUE(client.ok()) << client.status();
    return client.ok() ? *std::move(client) : nullptr;
  }
  uint64_t StoreBlocks(Client* client, uint64_t first, uint64_t count) {
    std::vector<std::vector<uint8_t>> keys, payloads;
    StoreRequest request;
    for (uint64_t i = 0; i < count; ++i) {
      keys.push_back(KeyOf(first + i));
      payloads.push_back(PayloadOf(keys.back(), layout_.groups[0].BlockBytes()));
    }
    for (uint64_t i = 0; i < count; ++i) {
      StoreItem item;
      item.key = keys[i];
      item.buffer = {payloads[i].data(), payloads[i].size()};
      request.items.push_back(item);
    }
    request.deadline_ms = 20'000;
    const auto result = client->Store(std::move(request));
    return result.ok() ? result->Count(BlockStatus::kOk) : 0;
  }
  uint64_t LoadBlocks(Client* client, uint64_t first, uint64_t count) {
    std::vector<std::vector<uint8_t>> keys;
    std::vector<std::vector<uint8_t>> buffers(count, std::vector<uint8_t>(layout_.groups[0].BlockBytes()));
    LoadRequest request;
    for (uint64_t i = 0; i < count; ++i) keys.push_back(KeyOf(first + i));
    for (uint64_t i = 0; i < count; ++i) {
      LoadItem item;
      item.key = keys[i];
      item.buffer = {buffers[i].data(), buffers[i].size()};
      request.items.push_back(item);
    }
    request.deadline_ms = 20'000;
    const auto result = client->Load(std::move(request));
    if (!result.ok()) return 0;
    for (uint64_t i = 0; i < count; ++i) {
      if (result->status[i] != BlockStatus::kOk) continue;
      EXPECT_EQ(buffers[i], PayloadOf(keys[i], layout_.groups[0].BlockBytes())) << "WRONG BYTES";
    }
    return result->hits;
  }

  Layout layout_ = testing::SmallLayout(4, 1024);  // 64 KiB blocks
  std::string directory_;
  NodeOptions options_;
};

TEST_F(NodeTest, ThreadsShareOneAddressAndBlocksSurviveARestart) {
  {
    auto node = Node::Start(options_);
    ASSERT_TRUE(node.ok()) << node.status();
    auto writer = Connect(node->get(), Progress::kThread);
    auto reader = Connect(node->get(), Progress::kCaller);
    ASSERT_TRUE(writer != nullptr && reader != nullptr);
    EXPECT_EQ(StoreBlocks(writer.get(), 0, 600), 600u);  // more than RAM holds
    EXPECT_EQ(LoadBlocks(reader.get(), 0, 600), 600u);
    for (const ShardReport& report : (*node)->Reports()) EXPECT_GT(report.gauges.blocks, 100u);
    writer.reset();
    reader.reset();
    const absl::Status stopped = (*node)->Stop(20'000);
    EXPECT_TRUE(stopped.ok()) << stopped;
  }
  auto node = Node::Start(options_);
  ASSERT_TRUE(node.ok()) << node.status();
  auto reader = Connect(node->get(), Progress::kCaller);
  ASSERT_NE(reader, nullptr);
  // Demoted blocks and those written behind; what was in RAM alone at the stop may be gone.
  EXPECT_GT(LoadBlocks(reader.get(), 0, 600), 300u);
}

TEST_F(NodeTest, ListeningBeyondThisHostNeedsToBeAskedFor) {
  options_.listen = "0.0.0.0:0";
  const auto node = Node::Start(options_);
  EXPECT_TRUE(absl::IsFailedPrecondition(node.status())) << node.status();
}

TEST_F(NodeTest, TwoNodesCannotShareRegionFiles) {
  auto node = Node::Start(options_);
  ASSERT_TRUE(node.ok()) << node.status();
  const auto second = Node::Start(options_);
  EXPECT_FALSE(second.ok());
}

TEST_F(NodeTest, TooLittleRamIsRefused) {
  options_.ram_bytes = 1 << 20;
  EXPECT_TRUE(absl::IsInvalidArgument(Node::Start(options_).status()));
}

}  // namespace
}  // namespace incipit
