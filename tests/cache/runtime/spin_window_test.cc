#include "cache/runtime/spin_window.h"

#include <gtest/gtest.h>

namespace incipit {
namespace {

TEST(SpinWindow, LongWaitsEndPollingAfterAFew) {
  SpinWindow window(200'000);
  for (int i = 0; i < 10; ++i) window.OnWaited(150'000);
  EXPECT_EQ(window.ns(), 160'000) << "long enough for such waits";
  int waits = 0;
  for (; window.ns() > 0; ++waits) window.OnWaited(1'000'000'000);
  EXPECT_LE(waits, 5);
}

TEST(SpinWindow, WaitsThatPollingWouldHaveCaughtMakeItGrow) {
  SpinWindow window(200'000);
  for (int i = 0; i < 8; ++i) window.OnWaited(10'000'000);
  EXPECT_EQ(window.ns(), 0);
  for (int i = 0; i < 3; ++i) window.OnWaited(70'000);
  EXPECT_EQ(window.ns(), 80'000);
  for (int i = 0; i < 3; ++i) window.OnWaited(70'000);
  EXPECT_EQ(window.ns(), 80'000) << "it is long enough";
}

TEST(SpinWindow, NeverLongerThanTheMaximum) {
  SpinWindow off(0);
  for (int i = 0; i < 5; ++i) off.OnWaited(0);
  EXPECT_EQ(off.ns(), 0);
  SpinWindow window(50'000);
  for (int i = 0; i < 9; ++i) window.OnWaited(49'000);
  EXPECT_LE(window.ns(), 50'000);
}

}  // namespace
}  // namespace incipit
