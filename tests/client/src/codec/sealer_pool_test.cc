#include "client/src/codec/sealer_pool.h"

#include <gtest/gtest.h>

#include <set>
#include <thread>

#include "tests/support/format_samples.h"

namespace incipit {
namespace {

using Bytes = std::vector<uint8_t>;

class SealerPoolTest : public ::testing::Test {
 protected:
  Bytes Sealed(SealedCodec* codec) {
    Bytes raw(64, 5), stored(64 + kSealedOverheadBytes);
    const iovec piece{raw.data(), raw.size()};
    EXPECT_EQ(codec->Encode({identity_, 0}, {&piece, 1}, stored), stored.size());
    return stored;
  }
  bool Opens(SealedCodec* codec, ByteView stored) {
    Bytes raw(64);
    const iovec piece{raw.data(), raw.size()};
    return codec->Decode({identity_, 0}, stored, {&piece, 1});
  }

  Bytes identity_ = samples::SampleIdentity();
  SealerPool pool_{*SealingKey::FromBytes(samples::CountingBytes(32, 1)), FrameNamespace(samples::SampleNamespace())};
};

TEST_F(SealerPoolTest, WhatIsOutIsNobodyElsesAndComesBack) {
  SealerPool::Loan first = pool_.Take(), second = pool_.Take();
  SealedCodec* const of_first = first.get();
  EXPECT_NE(of_first, second.get());
  first.reset();
  EXPECT_EQ(pool_.Take().get(), of_first);
}

TEST_F(SealerPoolTest, AllOpenWhatOneSealed) {
  SealerPool::Loan first = pool_.Take(), second = pool_.Take();
  EXPECT_TRUE(Opens(second.get(), Sealed(first.get())));
}

TEST_F(SealerPoolTest, ThreadsShareNoNonce) {
  constexpr size_t kThreads = 4, kSegments = 200;
  std::vector<Bytes> sealed[kThreads];
  std::vector<std::thread> threads;
  for (auto& of_thread : sealed) {
    threads.emplace_back([&] {
      for (size_t i = 0; i < kSegments; ++i) of_thread.push_back(Sealed(pool_.Take().get()));
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::set<Bytes> nonces;
  for (const auto& of_thread : sealed) {
    for (const Bytes& stored : of_thread) nonces.insert(Bytes(stored.begin(), stored.begin() + 24));
  }
  EXPECT_EQ(nonces.size(), kThreads * kSegments);
}

}  // namespace
}  // namespace incipit
