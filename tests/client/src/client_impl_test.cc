// A real client, with threads that code, on a node that stores what it gets.
#include "client/src/client_impl.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>

#include "incipit/client.h"
#include "tests/client/src/tcp_fake_node.h"
#include "tests/support/blocks.h"
#include "tests/support/latents.h"

namespace incipit {
namespace {

using ::testing::HasSubstr;

constexpr size_t kRowBytes = 1152, kBlockBytes = 16 * 4 * kRowBytes;

ClientOptions OptionsFor(const std::string& address, Progress progress, const std::string& codec) {
  ClientOptions options;
  options.address = address;
  options.model = "model";
  options.layout = testing::SmallLayout(4, kRowBytes, /*block_tokens=*/16);
  options.progress = progress;
  options.codec = codec;
  options.codec_threads = 3;
  return options;
}

constexpr uint64_t kNoiseBytes = 40 * kBlockBytes;  // of 120 blocks

// Blocks of bf16 rows, of which every third is noise.
struct Blocks {
  Blocks(uint64_t first, size_t count) {
    std::mt19937_64 random(first);
    for (size_t i = 0; i < count; ++i) {
      keys.push_back(testing::KeyOf(first + i));
      payloads.push_back(i % 3 == 2 ? testing::RandomBytes(kBlockBytes, random)
                                    : testing::Bf16Rows(kBlockBytes / kRowBytes, kRowBytes / 2, 0.5, random));
      buffers.emplace_back(kBlockBytes, uint8_t{0xee});
    }
  }
  template <typename Request>
  Request Of(std::vector<std::vector<uint8_t>>* memory) const {
    Request request;
    for (size_t i = 0; i < keys.size(); ++i) {
      request.items.push_back({.depth_tokens = static_cast<uint32_t>(16 * i),
                               .key = keys[i],
                               .buffer = {(*memory)[i].data(), kBlockBytes}});
    }
    return request;
  }
  StoreRequest Store() { return Of<StoreRequest>(&payloads); }
  LoadRequest Load() { return Of<LoadRequest>(&buffers); }
  std::vector<std::vector<uint8_t>> keys, payloads, buffers;
};

class ClientCodec : public ::testing::TestWithParam<Progress> {};
INSTANTIATE_TEST_SUITE_P(Progress, ClientCodec, ::testing::Values(Progress::kThread, Progress::kCaller),
                         [](const auto& mode) { return mode.param == Progress::kThread ? "Thread" : "Caller"; });

TEST_P(ClientCodec, CodedBlocksAreReadByAllWhateverTheyStore) {
  TcpFakeNode server;
  server.node()->shard_count = 2;
  server.Start();
  const auto coding = Client::Connect(OptionsFor(server.address(), GetParam(), "bf16-lossless"));
  const auto plain = Client::Connect(OptionsFor(server.address(), GetParam(), ""));
  ASSERT_TRUE(coding.ok()) << coding.status();
  ASSERT_TRUE(plain.ok()) << plain.status();
  Blocks coded(0, 120), raw(1000, 30);
  EXPECT_EQ((*coding)->Store(coded.Store())->Count(BlockStatus::kOk), 120u);
  EXPECT_EQ((*plain)->Store(raw.Store())->Count(BlockStatus::kOk), 30u);
  const ClientCounters stored = (*coding)->counters();
  EXPECT_EQ(stored.coded_raw_bytes, 120 * kBlockBytes);
  EXPECT_LT(stored.coded_stored_bytes * 6, stored.coded_raw_bytes * 5);
  for (Client* reader : {coding->get(), plain->get()}) {
    for (Blocks* blocks : {&coded, &raw}) {
      for (auto& buffer : blocks->buffers) std::fill(buffer.begin(), buffer.end(), uint8_t{0xee});
      EXPECT_EQ(reader->Load(blocks->Load())->hits, blocks->keys.size());
      EXPECT_EQ(blocks->buffers, blocks->payloads);
    }
    // Blocks of noise were tried and sent as they are: nothing of them is decoded.
    EXPECT_EQ(reader->counters().decoded_raw_bytes, stored.coded_raw_bytes - kNoiseBytes);
    EXPECT_EQ(reader->counters().decoded_stored_bytes, stored.coded_stored_bytes - kNoiseBytes);
    EXPECT_EQ(reader->counters().damaged_segments + reader->counters().forged_segments, 0u);
  }
}

TEST_P(ClientCodec, ClientThatEndsWhileItCodesWaitsForItsThreads) {
  TcpFakeNode server;
  server.Start();
  Blocks blocks(0, 100);
  for (int round = 0; round < 10; ++round) {
    auto client = Client::Connect(OptionsFor(server.address(), GetParam(), "bf16-lossless-fast"));
    ASSERT_TRUE(client.ok()) << client.status();
    std::atomic<int> ended{0};
    (*client)->StoreAsync(blocks.Store(), [&](const absl::StatusOr<StatusResult>&) { ++ended; });
    (*client)->LoadAsync(blocks.Load(), [&](const absl::StatusOr<LoadResult>&) { ++ended; });
    for (int i = 0; i < round; ++i) (*client)->Poll(1000);
    client->reset();
    EXPECT_EQ(ended, 2);
    for (auto& buffer : blocks.buffers) std::fill(buffer.begin(), buffer.end(), uint8_t{0});  // nobody else writes
  }
}

TEST(ClientCodecOptions, WhatDoesNotFitIsRefused) {
  ClientOptions options = OptionsFor("tcp://127.0.0.1:1", Progress::kCaller, "lzma");
  const auto refusal = [&] { return std::string(Client::Connect(options).status().message()); };
  EXPECT_THAT(refusal(), HasSubstr("ClientOptions.codec: codec is \"lzma\"; allowed: raw, bf16-lossless"));
  options.codec = "fp8-lossless";
  EXPECT_THAT(refusal(), HasSubstr("has rows of 1152 bytes"));
  options.codec = "bf16-lossless";
  options.codec_threads = 65;
  EXPECT_THAT(refusal(), HasSubstr("codec_threads: 65, at most 64"));
}

}  // namespace
}  // namespace incipit
