#include "incipit/client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <thread>

#include "tests/client/src/core/client_fixture.h"
#include "tests/client/src/tcp_fake_node.h"

namespace incipit {
namespace {

using testing::Each;

ClientOptions OptionsFor(const std::string& address, Progress progress) {
  ClientOptions options;
  options.address = address;
  options.model = "small-model";
  options.layout = SmallLayout();
  options.progress = progress;
  return options;
}

// The blocks of one chain with their payloads, as requests.
struct Chain {
  explicit Chain(uint64_t chain, size_t count) {
    for (size_t i = 0; i < count; ++i) {
      keys.push_back(KeyOf(chain, i));
      payloads.push_back(PayloadOf(keys.back(), 256));
      buffers.emplace_back(256, 0);
    }
  }
  StoreRequest Store() {
    StoreRequest request;
    for (size_t i = 0; i < keys.size(); ++i) {
      request.items.push_back({.depth_tokens = static_cast<uint32_t>(i) * 16,
                               .key = keys[i].bytes(),
                               .buffer = {payloads[i].data(), payloads[i].size()}});
    }
    return request;
  }
  LoadRequest Load() {
    LoadRequest request;
    for (size_t i = 0; i < keys.size(); ++i) {
      request.items.push_back({.depth_tokens = static_cast<uint32_t>(i) * 16,
                               .key = keys[i].bytes(),
                               .buffer = {buffers[i].data(), buffers[i].size()}});
    }
    return request;
  }
  MatchRequest Match() {
    MatchRequest request;
    request.groups = {KeyList(keys)};
    return request;
  }
  std::vector<BlockKey> keys;
  std::vector<std::vector<uint8_t>> payloads, buffers;
};

class ClientModes : public testing::TestWithParam<Progress> {};
INSTANTIATE_TEST_SUITE_P(Progress, ClientModes, testing::Values(Progress::kThread, Progress::kCaller),
                         [](const auto& mode) { return mode.param == Progress::kThread ? "Thread" : "Caller"; });

TEST_P(ClientModes, StoresMatchesAndLoadsOverTcp) {
  TcpFakeNode server;
  server.node()->shard_count = 2;
  server.Start();
  auto client = Client::Connect(OptionsFor(server.address(), GetParam()));
  ASSERT_TRUE(client.ok()) << client.status();
  Chain chain(1, 50);
  auto stored = (*client)->Store(chain.Store());
  ASSERT_TRUE(stored.ok()) << stored.status();
  EXPECT_EQ(stored->Count(BlockStatus::kOk), 50u);
  MatchRequest request = chain.Match();
  request.lease_ms = 1000;
  auto match = (*client)->Match(std::move(request));
  ASSERT_TRUE(match.ok());
  EXPECT_EQ(match->longest_tokens(), 800u);
  EXPECT_TRUE(match->lease.held());
  auto loaded = (*client)->Load(chain.Load());
  ASSERT_TRUE(loaded.ok());
  EXPECT_EQ(loaded->hits, 50u);
  EXPECT_EQ(chain.buffers, chain.payloads);
  EXPECT_EQ((*client)->Stats()->size(), 2u);
  EXPECT_EQ((*client)->counters().bytes_loaded, 50u * 256);
  EXPECT_EQ((*client)->node().shard_count, 2);
  const uint64_t stamp = (*client)->NewStamp();
  EXPECT_LT(stamp, (*client)->NewStamp());
  client->reset();
  match->lease.Release();
}

TEST_P(ClientModes, AsyncCallsEndInTheirCallbacks) {
  TcpFakeNode server;
  server.Start();
  auto client = Client::Connect(OptionsFor(server.address(), GetParam()));
  ASSERT_TRUE(client.ok()) << client.status();
  Chain chain(2, 20);
  ASSERT_TRUE((*client)->Store(chain.Store()).ok());
  std::atomic<int> done{0};
  std::atomic<uint64_t> hits{0};
  Client* raw = client->get();
  raw->MatchAsync(chain.Match(), [&](absl::StatusOr<MatchResult> match) {
    hits += match->restorable_tokens.size();
    raw->LoadAsync(chain.Load(), [&](absl::StatusOr<LoadResult> loaded) {
      hits += loaded->hits;
      ++done;
    });
  });
  while (done == 0) raw->Poll(1000);
  EXPECT_EQ(hits, 40u);
  EXPECT_EQ(chain.buffers, chain.payloads);
}

TEST_P(ClientModes, AsyncMistakeIsToldInTheCallback) {
  auto options = OptionsFor("tcp://127.0.0.1:1", GetParam());
  options.connect_lazily = true;
  auto client = Client::Connect(options);
  ASSERT_TRUE(client.ok()) << client.status();
  LoadRequest request{.items = {LoadItem{}}};
  std::atomic<bool> inside_call{true}, called_inside{false}, done{false};
  (*client)->LoadAsync(request, [&](absl::StatusOr<LoadResult> result) {
    called_inside = GetParam() == Progress::kCaller && inside_call;
    EXPECT_TRUE(absl::IsInvalidArgument(result.status()));
    done = true;
  });
  inside_call = false;
  while (!done) (*client)->Poll(1000);
  EXPECT_FALSE(called_inside);
}

TEST_P(ClientModes, NobodyListeningIsUnavailableOrMisses) {
  auto options = OptionsFor("tcp://127.0.0.1:1", GetParam());
  EXPECT_TRUE(absl::IsUnavailable(Client::Connect(options).status()));
  options.connect_lazily = true;
  auto client = Client::Connect(options);
  ASSERT_TRUE(client.ok());
  Chain chain(3, 5);
  EXPECT_EQ((*client)->Match(chain.Match())->longest_tokens(), 0u);
  EXPECT_THAT((*client)->Load(chain.Load())->status, Each(BlockStatus::kExpired));
  EXPECT_TRUE(absl::IsUnavailable((*client)->Store(chain.Store()).status()));
}

TEST_P(ClientModes, WhatCanBeNoAddressIsAMistakeEvenForAClientThatConnectsLazily) {
  auto options = OptionsFor("localhost:port", GetParam());
  options.connect_lazily = true;
  EXPECT_TRUE(absl::IsInvalidArgument(Client::Connect(options).status()));
}

TEST_P(ClientModes, NodeThatComesBackIsUsedAgain) {
  auto server = std::make_unique<TcpFakeNode>();
  server->Start();
  const std::string host_port = server->host_port();
  auto options = OptionsFor(server->address(), GetParam());
  options.breaker_cooldown_ms = 1;
  options.reconnect_min_ms = options.reconnect_max_ms = 1;
  auto client = Client::Connect(options);
  ASSERT_TRUE(client.ok());
  server.reset();
  Chain chain(4, 5);
  EXPECT_EQ((*client)->Match(chain.Match())->longest_tokens(), 0u);
  server = std::make_unique<TcpFakeNode>(host_port);
  server->Start();
  absl::StatusOr<StatusResult> stored;
  do {
    (*client)->Poll(1000);
    stored = (*client)->Store(chain.Store());
  } while (!stored.ok());
  EXPECT_EQ(stored->Count(BlockStatus::kOk), 5u);
  EXPECT_EQ((*client)->Load(chain.Load())->hits, 5u);
  EXPECT_EQ(chain.buffers, chain.payloads);
}

TEST_P(ClientModes, DestroyingEndsOutstandingCalls) {
  TcpFakeNode server;
  server.node()->intercept = [](FakeNode::Connection*, wire::FrameHeader header, ByteView) -> Task<bool> {
    co_return header.type == wire::FrameType::kLoad;  // Never answered.
  };
  server.Start();
  auto client = Client::Connect(OptionsFor(server.address(), GetParam()));
  ASSERT_TRUE(client.ok());
  Chain chain(5, 5);
  std::atomic<bool> ended{false};
  (*client)->LoadAsync(chain.Load(), [&](absl::StatusOr<LoadResult> result) {
    EXPECT_THAT(result->status, Each(BlockStatus::kExpired));
    ended = true;
  });
  client->reset();
  EXPECT_TRUE(ended);
}

TEST(ClientThreads, ManyThreadsShareOneClient) {
  TcpFakeNode server;
  server.Start();
  auto client = Client::Connect(OptionsFor(server.address(), Progress::kThread));
  ASSERT_TRUE(client.ok());
  std::vector<std::thread> threads;
  std::atomic<int> wrong{0};
  for (uint64_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (uint64_t round = 0; round < 20; ++round) {
        Chain chain(100 + t * 20 + round, 6);
        if (!(*client)->Store(chain.Store()).ok()) ++wrong;
        MatchRequest request = chain.Match();
        request.lease_ms = 1000;
        auto match = (*client)->Match(std::move(request));
        if (match->longest_tokens() != 96) ++wrong;
        if ((*client)->Load(chain.Load())->hits != 6 || chain.buffers != chain.payloads) ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace incipit
