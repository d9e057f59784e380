#include "client/src/handover.h"

#include <gtest/gtest.h>

#include <memory>
#include <thread>

#include "cache/runtime/uring_loop.h"

namespace incipit {
namespace {

TEST(HandoverThreads, WhatWasWrittenBeforeSignalIsSeenAfterWait) {
  auto clock = *UringLoop::Create({});
  for (int round = 0; round < 200; ++round) {
    auto handover = std::make_shared<Handover>();
    int value = 0;
    std::thread other([&value, handover, round] {
      value = round + 1;
      handover->Signal();
    });
    handover->Wait(*clock);
    EXPECT_EQ(value, round + 1);
    other.join();
  }
}

TEST(Handover, SignalBeforeWaitIsNotLost) {
  auto clock = *UringLoop::Create({});
  Handover handover;
  handover.Signal();
  handover.Wait(*clock);
}

}  // namespace
}  // namespace incipit
