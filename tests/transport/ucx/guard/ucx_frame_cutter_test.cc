#include "transport/ucx/guard/ucx_frame_cutter.h"

#include <gtest/gtest.h>

#include "tests/transport/ucx/guard/ucx_traffic.h"

namespace incipit::testing {
namespace {

struct Seen : UcxFrameVisitor {
  bool OnBegin(uint8_t id, uint32_t bytes) override {
    begun.emplace_back(id, bytes);
    return id != 99;
  }
  bool OnFrame(const UcxFrame& frame) override {
    frames.push_back({frame.id, {frame.head.begin(), frame.head.end()}, {frame.tail.begin(), frame.tail.end()}});
    return frame.id != 98;
  }
  struct Frame {
    uint8_t id;
    Bytes head, tail;
    bool operator==(const Frame&) const = default;
  };
  std::vector<std::pair<uint8_t, uint32_t>> begun;
  std::vector<Frame> frames;
};

Bytes Counting(size_t bytes) {
  Bytes counting(bytes);
  for (size_t i = 0; i < bytes; ++i) counting[i] = static_cast<uint8_t>(i * 7 + i / 256);
  return counting;
}

TEST(UcxFrameCutterTest, FramesAreTheSameHoweverTheyArrive) {
  Bytes stream;
  std::vector<Seen::Frame> expected;
  for (const size_t bytes : {0, 1, 8, 63, 64, 65, 255, 256, 257, 1000, 70'000}) {
    const Bytes body = Counting(bytes);
    const Bytes frame = UcxFrameOf(static_cast<uint8_t>(bytes % 30), body);
    stream.insert(stream.end(), frame.begin(), frame.end());
    const auto head = static_cast<ptrdiff_t>(std::min<size_t>(bytes, 256));
    const auto tail = static_cast<ptrdiff_t>(std::min<size_t>(bytes, 64));
    expected.push_back({frame[0], {body.begin(), body.begin() + head}, {body.end() - tail, body.end()}});
  }
  for (const size_t step : {1ul, 2ul, 5ul, 6ul, 13ul, 300ul, 4096ul, stream.size()}) {
    UcxFrameCutter cutter;
    Seen seen;
    for (size_t at = 0; at < stream.size(); at += step) {
      ASSERT_TRUE(cutter.Take(ByteView(stream).subspan(at, std::min(step, stream.size() - at)), &seen));
    }
    EXPECT_EQ(seen.frames, expected) << "in steps of " << step;
  }
}

TEST(UcxFrameCutterTest, WhatMayNotBeginIsStoppedBeforeItsBody) {
  UcxFrameCutter cutter;
  Seen seen;
  const Bytes header = Packed().Add(uint8_t{99}).Add(uint32_t{0xffffffff}).bytes;
  EXPECT_TRUE(cutter.Take(ByteView(header).first(4), &seen));
  EXPECT_FALSE(cutter.Take(ByteView(header).subspan(4), &seen));
}

TEST(UcxFrameCutterTest, WhatMayNotPassIsStoppedAtItsEnd) {
  UcxFrameCutter cutter;
  Seen seen;
  const Bytes frame = UcxFrameOf(98, Counting(10));
  EXPECT_TRUE(cutter.Take(ByteView(frame).first(frame.size() - 1), &seen));
  EXPECT_FALSE(cutter.Take(ByteView(frame).last(1), &seen));
}

}  // namespace
}  // namespace incipit::testing
