#include "client/src/codec/coding_threads.h"

#include <gtest/gtest.h>

#include <atomic>

namespace incipit {
namespace {

std::unique_ptr<UringLoop> MakeLoop() {
  UringLoopOptions options;
  options.single_thread = false;
  return *UringLoop::Create(options);
}

TEST(CodingThreads, WorkIsDoneElsewhereAndItsEndComesToTheLoop) {
  const std::unique_ptr<UringLoop> loop = MakeLoop();
  for (const uint32_t threads : {1u, 3u}) {
    CodingThreads workers(loop.get(), threads);
    constexpr int kJobs = 200;
    const std::thread::id here = std::this_thread::get_id();
    std::atomic<int> worked{0}, elsewhere{0};
    int done = 0;
    for (int i = 0; i < kJobs; ++i) {
      workers.Start(
          [&](PieceCoder* coder) {
            EXPECT_NE(coder, nullptr);
            ++worked;
            if (std::this_thread::get_id() != here) ++elsewhere;
          },
          [&] {
            EXPECT_EQ(std::this_thread::get_id(), here);
            ++done;
          });
    }
    while (done < kJobs) loop->RunOnce();
    EXPECT_EQ(worked, kJobs);
    EXPECT_EQ(elsewhere, kJobs);
  }
}

TEST(CodingThreads, NothingToDoIsNoThread) {
  const std::unique_ptr<UringLoop> loop = MakeLoop();
  const CodingThreads workers(loop.get(), CodingThreads::DefaultThreads());
  EXPECT_GE(CodingThreads::DefaultThreads(), 1u);
  EXPECT_LE(CodingThreads::DefaultThreads(), 4u);
}

TEST(InlineWorkers, WorkAtOnce) {
  InlineWorkers workers;
  std::vector<int> order;
  workers.Start([&](PieceCoder*) { order.push_back(1); }, [&] { order.push_back(2); });
  EXPECT_EQ(order, (std::vector<int>{1, 2}));
}

}  // namespace
}  // namespace incipit
