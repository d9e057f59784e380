// Loads on the ucx lane whose bytes are verified on threads beside the one that brings them.
#include <gtest/gtest.h>

#include "cache/node/node.h"
#include "client/src/codec/coding_threads.h"
#include "client/src/core/client_core.h"
#include "tests/support/blocks.h"
#include "tests/support/ucx_here.h"
#include "transport/ucx/ucx_endpoint.h"

namespace incipit::testing {
namespace {

constexpr uint32_t kDeadlineMs = 60'000;

// Whatever this machine has.
struct WithProcessorsToSpare : CodingThreads {
  using CodingThreads::CodingThreads;
  bool HasProcessorsToSpare() const override { return true; }
  void Start(Work work, std::function<void()> done) override {
    ++started;
    CodingThreads::Start(std::move(work), std::move(done));
  }
  int started = 0;
};

class UcxVerifyAsideTest : public ::testing::Test {
 protected:
  void SetUp() override {
    INCIPIT_SKIP_WITHOUT_UCX();
    NodeOptions options;
    options.listen = "127.0.0.1:0";
    options.http_listen = "";
    options.listen_ucx = TestUcxHost() + ":0";
    options.insecure = true;  // the address of a guest's RDMA device is not loopback
    options.ucx = TestUcxSettings();
    options.ram_bytes = 64 << 20;
    options.huge_pages = false;
    auto node = Node::Start(options);
    ASSERT_TRUE(node.ok()) << node.status();
    node_ = *std::move(node);
    ClientOptions client;
    client.address = node_->ucx_address();
    client.model = "model";
    client.layout = layout_;
    core_ = std::make_unique<ClientCore>(loop_.get(), &connector_, random_.get(), client, &workers_);
    core_->Start();
    ASSERT_TRUE(loop_->RunTask(core_->WaitConnected()).ok());
    for (uint64_t i = 0; i < kBlocks; ++i) {
      keys_.push_back(KeyOf(i));
      payloads_.push_back(PayloadOf(keys_.back(), layout_.groups[0].BlockBytes()));
    }
    StoreRequest store;
    for (uint64_t i = 0; i < kBlocks; ++i) {
      store.items.push_back({.key = keys_[i], .buffer = {payloads_[i].data(), payloads_[i].size()}});
    }
    store.deadline_ms = kDeadlineMs;
    ASSERT_EQ(loop_->RunTask(core_->Store(std::move(store)))->Count(BlockStatus::kOk), kBlocks);
  }
  void TearDown() override {
    if (core_ != nullptr) loop_->RunTask(core_->Stop());
    core_.reset();
  }
  uint64_t Load(uint32_t deadline_ms) {
    got_.assign(kBlocks, std::vector<uint8_t>(layout_.groups[0].BlockBytes()));
    LoadRequest load;
    for (uint64_t i = 0; i < kBlocks; ++i) {
      load.items.push_back({.key = keys_[i], .buffer = {got_[i].data(), got_[i].size()}});
    }
    load.deadline_ms = deadline_ms;
    const auto loaded = loop_->RunTask(core_->Load(std::move(load)));
    if (!loaded.ok()) return 0;
    for (uint64_t i = 0; i < kBlocks; ++i) {
      if (loaded->status[i] != BlockStatus::kOk) continue;
      EXPECT_EQ(got_[i], payloads_[i]) << "WRONG BYTES";
    }
    return loaded->hits;
  }

  static constexpr uint64_t kBlocks = 12;
  Layout layout_ = SmallLayout(4, 32 << 10);  // 2 MiB blocks
  std::unique_ptr<Node> node_;
  std::unique_ptr<UringLoop> loop_ = *UringLoop::Create({});
  UcxConnector connector_{loop_.get()};
  WithProcessorsToSpare workers_{loop_.get(), 2};
  std::unique_ptr<Random> random_ = MakeSystemRandom();
  std::unique_ptr<ClientCore> core_;
  std::vector<std::vector<uint8_t>> keys_, payloads_, got_;
};

TEST_F(UcxVerifyAsideTest, EveryBlockIsAHitOnceItIsVerified) {
  EXPECT_EQ(Load(kDeadlineMs), kBlocks);
  EXPECT_GE(workers_.started, 12);
  EXPECT_EQ(core_->counters().decoded_raw_bytes, 0u) << "nothing was decoded";
}

TEST_F(UcxVerifyAsideTest, MemoryIsTheCallersAgainWhenTheDeadlineHasPassed) {
  for (uint32_t deadline_ms = 1; deadline_ms < 12; ++deadline_ms) {
    Load(deadline_ms);
    for (std::vector<uint8_t>& buffer : got_) buffer.assign(buffer.size(), 0x5a);
    const auto given_up = got_;
    auto kept = std::move(got_);
    EXPECT_EQ(Load(kDeadlineMs), kBlocks);
    EXPECT_EQ(kept, given_up) << "written to after the call had ended";
  }
}

}  // namespace
}  // namespace incipit::testing
