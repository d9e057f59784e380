// A real node and real clients on the ucx lane. Which of UCX's transports: tests/support/ucx_here.h.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <thread>

#include "cache/node/node.h"
#include "client/include/incipit/client.h"
#include "tests/support/blocks.h"
#include "tests/support/temp_path.h"
#include "tests/support/ucx_here.h"

namespace incipit::testing {
namespace {

class UcxNodeTest : public ::testing::Test {
 protected:
  UcxNodeTest() {
    options_.listen = "127.0.0.1:0";
    options_.http_listen = "";
    options_.listen_ucx = TestUcxHost() + ":0";
    options_.insecure = true;  // the address of a guest's RDMA device is not loopback
    options_.ucx = TestUcxSettings();
    options_.shards = 2;
    options_.ram_bytes = 64 << 20;
    options_.huge_pages = false;
  }
  void SetUp() override { INCIPIT_SKIP_WITHOUT_UCX(); }
  void Start() {
    auto node = Node::Start(options_);
    ASSERT_TRUE(node.ok()) << node.status();
    node_ = *std::move(node);
  }
  std::unique_ptr<Client> Connect(const std::string& address, Progress progress = Progress::kCaller) {
    ClientOptions options;
    options.address = address;
    options.model = "model";
    options.layout = layout_;
    options.progress = progress;
    options.connect_timeout_ms = 20'000;  // emulated machines take their time
    auto client = Client::Connect(options);
    EXPECT_TRUE(client.ok()) << client.status();
    return client.ok() ? *std::move(client) : nullptr;
  }
  uint64_t BlockBytes() const { return layout_.groups[0].BlockBytes(); }

  uint64_t Store(Client* client, uint64_t first, uint64_t count) {
    StoreRequest request;
    std::vector<std::vector<uint8_t>> keys, payloads;
    for (uint64_t i = 0; i < count; ++i) {
      keys.push_back(KeyOf(first + i));
      payloads.push_back(PayloadOf(keys.back(), BlockBytes()));
    }
    for (uint64_t i = 0; i < count; ++i) {
      StoreItem item;
      item.key = keys[i];
      item.buffer = {payloads[i].data(), payloads[i].size()};
      request.items.push_back(item);
    }
    request.deadline_ms = kDeadlineMs;
    const auto result = client->Store(std::move(request));
    EXPECT_TRUE(result.ok()) << result.status();
    return result.ok() ? result->Count(BlockStatus::kOk) : 0;
  }
  // Hits; every byte of each is checked.
  uint64_t Load(Client* client, uint64_t first, uint64_t count, uint32_t deadline_ms = kDeadlineMs) {
    std::vector<std::vector<uint8_t>> keys;
    buffers_.assign(count, std::vector<uint8_t>(BlockBytes()));
    LoadRequest request;
    for (uint64_t i = 0; i < count; ++i) keys.push_back(KeyOf(first + i));
    for (uint64_t i = 0; i < count; ++i) {
      LoadItem item;
      item.key = keys[i];
      item.buffer = {buffers_[i].data(), buffers_[i].size()};
      request.items.push_back(item);
    }
    request.deadline_ms = deadline_ms;
    const auto result = client->Load(std::move(request));
    if (!result.ok()) return 0;
    for (uint64_t i = 0; i < count; ++i) {
      if (result->status[i] != BlockStatus::kOk) {
        if (deadline_ms == kDeadlineMs) statuses_ += std::to_string(static_cast<int>(result->status[i])) + " ";
        continue;
      }
      EXPECT_EQ(buffers_[i], PayloadOf(keys[i], BlockBytes())) << "WRONG BYTES";
    }
    return result->hits;
  }

  static constexpr uint32_t kDeadlineMs = 60'000;
  Layout layout_ = SmallLayout(4, 32 << 10);  // 2 MiB blocks
  NodeOptions options_;
  std::unique_ptr<Node> node_;
  std::vector<std::vector<uint8_t>> buffers_;
  std::string statuses_;  // of blocks that were not loaded
};

TEST_F(UcxNodeTest, LargeBlocksComeBackWholeInBothModes) {
  Start();
  auto writer = Connect(node_->ucx_address(), Progress::kThread);
  auto reader = Connect(node_->ucx_address());
  ASSERT_TRUE(writer != nullptr && reader != nullptr);
  EXPECT_EQ(Store(writer.get(), 0, 12), 12u);
  EXPECT_EQ(Load(reader.get(), 0, 12), 12u);
  EXPECT_EQ(Load(writer.get(), 0, 13), 12u);
}

TEST_F(UcxNodeTest, SmallBlocksAndMissesComeBackInBatches) {
  layout_ = SmallLayout(4, 1024);  // 64 KiB blocks
  Start();
  auto client = Connect(node_->ucx_address());
  ASSERT_NE(client, nullptr);
  EXPECT_EQ(Store(client.get(), 0, 200), 200u);
  EXPECT_EQ(Load(client.get(), 100, 200), 100u);
}

TEST_F(UcxNodeTest, TinyBlocksTravelWithTheirFrames) {
  layout_ = SmallLayout(2, 4);
  Start();
  auto client = Connect(node_->ucx_address());
  ASSERT_NE(client, nullptr);
  EXPECT_EQ(Store(client.get(), 0, 3000), 3000u);
  EXPECT_EQ(Load(client.get(), 0, 3000), 3000u);
}

TEST_F(UcxNodeTest, WhatOneLaneStoredTheOtherLoads) {
  Start();
  auto over_ucx = Connect(node_->ucx_address());
  auto over_tcp = Connect("tcp://" + node_->address());
  ASSERT_TRUE(over_ucx != nullptr && over_tcp != nullptr);
  EXPECT_EQ(Store(over_ucx.get(), 0, 4), 4u);
  EXPECT_EQ(Store(over_tcp.get(), 4, 4), 4u);
  EXPECT_EQ(Load(over_ucx.get(), 0, 8), 8u);
  EXPECT_EQ(Load(over_tcp.get(), 0, 8), 8u);
}

TEST_F(UcxNodeTest, BlocksFromNvmeTravelToo) {
  options_.nvme_path = TempPath("nvme");
  options_.nvme_bytes = 96 << 20;
  options_.nvme.region_bytes = 4 << 20;
  options_.ram_bytes = 16 << 20;
  layout_ = SmallLayout(4, 1024);  // 64 KiB blocks
  Start();
  auto client = Connect(node_->ucx_address());
  ASSERT_NE(client, nullptr);
  EXPECT_EQ(Store(client.get(), 0, 400), 400u);  // more than RAM holds
  EXPECT_EQ(Load(client.get(), 0, 400), 400u) << statuses_;
  client.reset();
  EXPECT_TRUE(node_->Stop(20'000).ok());
  std::filesystem::remove_all(options_.nvme_path);
}

TEST_F(UcxNodeTest, MemoryIsTheCallersAgainOnceTheDeadlineHasPassed) {
  Start();
  auto client = Connect(node_->ucx_address());
  ASSERT_NE(client, nullptr);
  EXPECT_EQ(Store(client.get(), 0, 16), 16u);
  for (int i = 0; i < 20; ++i) {
    Load(client.get(), 0, 16, /*deadline_ms=*/1 + i % 4);
    std::vector<std::vector<uint8_t>> given_up = std::move(buffers_);
    for (std::vector<uint8_t>& buffer : given_up) buffer.assign(buffer.size(), 0x5a);
    EXPECT_EQ(Load(client.get(), 0, 16), 16u) << statuses_;
    for (const std::vector<uint8_t>& buffer : given_up) {
      EXPECT_EQ(buffer, std::vector<uint8_t>(buffer.size(), 0x5a)) << "written to after the call had ended";
    }
  }
}

TEST_F(UcxNodeTest, NodeThatStopsIsMissedAndFoundAgain) {
  options_.listen_ucx = TestUcxHost() + ":0";
  Start();
  options_.listen_ucx = node_->options().listen_ucx;  // the same ports again
  auto client = Connect(node_->ucx_address());
  ASSERT_NE(client, nullptr);
  EXPECT_EQ(Store(client.get(), 0, 4), 4u);
  EXPECT_TRUE(node_->Stop(5000).ok());
  node_.reset();
  EXPECT_EQ(Load(client.get(), 0, 4, 500), 0u);
  Start();
  uint64_t stored = 0;
  while (stored == 0) {  // the test's own time limit ends it
    StoreRequest request;
    const std::vector<uint8_t> key = KeyOf(99), payload = PayloadOf(key, BlockBytes());
    StoreItem item;
    item.key = key;
    item.buffer = {const_cast<uint8_t*>(payload.data()), payload.size()};
    request.items.push_back(item);
    request.deadline_ms = 500;
    const auto result = client->Store(std::move(request));
    if (result.ok()) stored = result->Count(BlockStatus::kOk);
    client->Poll(10'000);
  }
  EXPECT_EQ(stored, 1u);
  EXPECT_EQ(Load(client.get(), 99, 1), 1u);
}

TEST_F(UcxNodeTest, SessionsOfClientsThatLeaveEnd) {
  Start();
  for (int i = 0; i < 8; ++i) {
    auto client = Connect(node_->ucx_address());
    ASSERT_NE(client, nullptr);
    EXPECT_EQ(Store(client.get(), i, 1), 1u);
  }
  const auto sessions = [this] {
    uint64_t sum = 0;
    for (const ShardReport& report : node_->Reports()) sum += report.sessions;
    return sum;
  };
  while (sessions() > 0) std::this_thread::yield();  // the test's own time limit ends it
}

TEST_F(UcxNodeTest, ClientsCallAtOnce) {
  layout_ = SmallLayout(4, 4096);
  Start();
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 4; ++i) clients.push_back(Connect(node_->ucx_address()));
  EXPECT_EQ(Store(clients[0].get(), 0, 64), 64u);
  std::vector<std::thread> threads;
  for (const auto& client : clients) {
    threads.emplace_back([&, raw = client.get()] {
      for (int round = 0; round < 4; ++round) {
        std::vector<std::vector<uint8_t>> keys, buffers(64, std::vector<uint8_t>(BlockBytes()));
        LoadRequest request;
        for (uint64_t i = 0; i < 64; ++i) keys.push_back(KeyOf(i));
        for (uint64_t i = 0; i < 64; ++i) {
          LoadItem item;
          item.key = keys[i];
          item.buffer = {buffers[i].data(), buffers[i].size()};
          request.items.push_back(item);
        }
        request.deadline_ms = kDeadlineMs;
        const auto result = raw->Load(std::move(request));
        ASSERT_TRUE(result.ok()) << result.status();
        EXPECT_EQ(result->hits, 64u);
        for (uint64_t i = 0; i < 64; ++i) EXPECT_EQ(buffers[i], PayloadOf(keys[i], BlockBytes())) << "WRONG BYTES";
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST_F(UcxNodeTest, UnknownDeviceIsRefusedByName) {
  options_.ucx = {"nosuch0", "tcp"};
  const absl::Status status = Node::Start(options_).status();
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_THAT(std::string(status.message()), ::testing::HasSubstr("nosuch0"));
}

TEST_F(UcxNodeTest, ListeningBeyondThisHostNeedsToBeAskedFor) {
  options_.insecure = false;
  options_.listen_ucx = "0.0.0.0:0";
  EXPECT_TRUE(absl::IsFailedPrecondition(Node::Start(options_).status()));
}

TEST_F(UcxNodeTest, MorePortsThanThereAreIsRefused) {
  options_.listen_ucx = TestUcxHost() + ":65535";
  EXPECT_TRUE(absl::IsInvalidArgument(Node::Start(options_).status()));
}

}  // namespace
}  // namespace incipit::testing
