#include "client/src/codec/buffer_pool.h"

#include <gtest/gtest.h>

namespace incipit {
namespace {

TEST(BufferPool, TheBufferGivenBackLastIsTheNextOne) {
  BufferPool pool;
  const uint8_t* last = nullptr;
  {
    BufferPool::Buffer first = pool.Take(300'000);
    BufferPool::Buffer second = pool.Take(300'000);
    EXPECT_EQ(first.bytes().size(), 300'000u);
    EXPECT_NE(first.bytes().data(), second.bytes().data());
    last = first.bytes().data();
  }
  EXPECT_GT(pool.idle_bytes(), 0u);
  EXPECT_EQ(pool.Take(299'000).bytes().data(), last);
}

TEST(BufferPool, WhatIsIdleIsLimited) {
  BufferPool pool;
  {
    std::vector<BufferPool::Buffer> buffers;
    for (uint64_t bytes = 0; bytes < 3 * BufferPool::kMaxIdleBytes; bytes += 8 << 20)
      buffers.push_back(pool.Take(8 << 20));
    EXPECT_EQ(pool.idle_bytes(), 0u);
  }
  EXPECT_EQ(pool.idle_bytes(), BufferPool::kMaxIdleBytes);
  { BufferPool::Buffer large = pool.Take(BufferPool::kMaxIdleBytes + 1); }
  EXPECT_EQ(pool.idle_bytes(), BufferPool::kMaxIdleBytes);
}

TEST(BufferPool, SmallRequestsLeaveLargeBuffersAlone) {
  BufferPool pool;
  { BufferPool::Buffer large = pool.Take(16 << 20); }
  const uint64_t idle = pool.idle_bytes();
  BufferPool::Buffer small = pool.Take(1000);
  EXPECT_EQ(pool.idle_bytes(), idle);
}

TEST(BufferPool, MovedBuffersGoBackOnce) {
  BufferPool pool;
  {
    BufferPool::Buffer a = pool.Take(1000), b = pool.Take(1000);
    BufferPool::Buffer c = std::move(a);
    b = std::move(c);
    EXPECT_EQ(b.bytes().size(), 1000u);
  }
  EXPECT_EQ(pool.idle_bytes(), 2u * (256 << 10));
}

}  // namespace
}  // namespace incipit
