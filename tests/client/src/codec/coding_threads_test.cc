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
    CodingThreads workers(loop.get(), {.threads = threads});
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
  const CodingThreads workers(loop.get(), {.threads = 4, .with_loop = true});
}

TEST(CodingThreads, WhereProcessorsAreFewTheLoopHelps) {
  for (const auto& [processors, threads] : {std::pair(1u, 1u), {2u, 1u}, {3u, 1u}, {4u, 2u}, {6u, 3u}, {64u, 4u}}) {
    const CodingThreads::Crew crew = CodingThreads::ByProcessors(processors);
    EXPECT_EQ(crew.threads, threads) << processors;
    EXPECT_EQ(crew.with_loop, processors <= 2) << processors;
  }
}

TEST(CodingThreads, LoopThatHelpsTakesWhatWaits) {
  const std::unique_ptr<UringLoop> loop = MakeLoop();
  CodingThreads workers(loop.get(), {.threads = 1, .with_loop = true});
  const std::thread::id here = std::this_thread::get_id();
  std::atomic<bool> begun{false}, may_end{false};
  int done = 0;
  workers.Start(
      [&](PieceCoder*) {
        EXPECT_NE(std::this_thread::get_id(), here);
        begun = true;
        while (!may_end) std::this_thread::yield();
      },
      [&] { ++done; });
  while (!begun) std::this_thread::yield();  // the only other thread has its hands full
  workers.Start(
      [&](PieceCoder*) {
        EXPECT_EQ(std::this_thread::get_id(), here);
        may_end = true;
      },
      [&] { ++done; });
  while (done < 2) loop->RunOnce();  // sleeps in between
}

TEST(CodingThreads, LoopThatHelpsDecodesAtOnceWhatIsWarm) {
  const std::unique_ptr<UringLoop> loop = MakeLoop();
  for (const bool with_loop : {false, true}) {
    CodingThreads workers(loop.get(), {.threads = 1, .with_loop = with_loop});
    EXPECT_EQ(workers.grain().job_bytes < CodingGrain().job_bytes, with_loop);
    std::atomic<bool> worked{false};
    bool done = false;
    workers.StartWarm([&](PieceCoder*) { worked = true; }, [&] { done = true; });
    EXPECT_EQ(done, with_loop);
    while (!done) loop->RunOnce();
    EXPECT_TRUE(worked);
  }
}

TEST(InlineWorkers, WorkAtOnce) {
  InlineWorkers workers;
  std::vector<int> order;
  workers.Start([&](PieceCoder*) { order.push_back(1); }, [&] { order.push_back(2); });
  EXPECT_EQ(order, (std::vector<int>{1, 2}));
}

}  // namespace
}  // namespace incipit
