#include "cache/runtime/uring_loop.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "cache/runtime/sync.h"

namespace incipit {
namespace {

std::unique_ptr<UringLoop> MakeLoop() {
  auto loop = UringLoop::Create({});
  EXPECT_TRUE(loop.ok()) << loop.status();
  return *std::move(loop);
}

Task<int32_t> WriteThenRead(UringLoop* loop, int read_fd, int write_fd, std::string text, char* into) {
  const int32_t written = co_await loop->Submit(
      [&](io_uring_sqe* sqe) { io_uring_prep_write(sqe, write_fd, text.data(), text.size(), 0); });
  if (written < 0) co_return written;
  co_return co_await loop->Submit([&](io_uring_sqe* sqe) { io_uring_prep_read(sqe, read_fd, into, 64, 0); });
}

TEST(UringLoop, BytesTravelThroughAPipe) {
  auto loop = MakeLoop();
  int fds[2];
  ASSERT_EQ(pipe(fds), 0);
  char buffer[64] = {};
  EXPECT_EQ(loop->RunTask(WriteThenRead(loop.get(), fds[0], fds[1], "opening words", buffer)), 13);
  EXPECT_STREQ(buffer, "opening words");
  close(fds[0]);
  close(fds[1]);
}

Task<bool> CancelledRead(UringLoop* loop, int read_fd) {
  UringOp* handle = nullptr;
  TaskScope scope(loop);
  auto canceller = [](UringLoop* owner, UringOp** target) -> Task<void> {
    co_await SleepUntil(owner, owner->NowNs() + 1000);
    owner->Cancel(*target);
  };
  scope.Spawn(canceller(loop, &handle));
  char byte;
  const int32_t result =
      co_await loop->Submit([&](io_uring_sqe* sqe) { io_uring_prep_read(sqe, read_fd, &byte, 1, 0); }, &handle);
  co_await scope.Join();
  co_return result == -ECANCELED&& handle == nullptr;
}

// Work that comes by a descriptor, as a library of its own would have it.
class CountingPoller : public LoopPoller {
 public:
  explicit CountingPoller(int fd) : fd_(fd) {}
  bool Poll() override {
    ++polls;
    char byte;
    if (read(fd_, &byte, 1) != 1) return false;
    ++found;
    return true;
  }
  bool PrepareToSleep() override {
    ++sleeps;
    return true;
  }
  int descriptor() const override { return fd_; }
  int polls = 0, found = 0;
  std::atomic<int> sleeps = 0;

 private:
  int fd_;
};

TEST(UringLoop, PollerIsAskedAndWakesASleepingLoop) {
  auto loop = MakeLoop();
  int fds[2];
  ASSERT_EQ(pipe2(fds, O_NONBLOCK), 0);
  CountingPoller poller(fds[0]);
  loop->AddPoller(&poller);
  std::thread writer([&] {
    while (poller.sleeps == 0) std::this_thread::yield();
    EXPECT_EQ(write(fds[1], "x", 1), 1);
  });
  while (poller.found == 0) loop->RunOnce();  // nothing else would end its sleep
  writer.join();
  EXPECT_GE(poller.sleeps, 1);
  loop->RemovePoller(&poller);
  const int polls = poller.polls;
  loop->RunOnce(0);
  EXPECT_EQ(poller.polls, polls);
  close(fds[0]);
  close(fds[1]);
}

TEST(UringLoop, PollerThatHasWorkIsNotSleptOver) {
  class Busy : public LoopPoller {
   public:
    bool Poll() override { return ++polls % 2 == 0; }
    bool PrepareToSleep() override { return false; }
    int descriptor() const override { return -1; }
    int polls = 0;
  };
  auto loop = MakeLoop();
  Busy poller;
  loop->AddPoller(&poller);
  for (int i = 0; i < 10; ++i) loop->RunOnce();  // would sleep for ever
  EXPECT_GE(poller.polls, 10);
  loop->RemovePoller(&poller);
}

TEST(UringLoop, PollerWithoutADescriptorLetsTheLoopSleep) {
  class Idle : public LoopPoller {
   public:
    bool Poll() override { return false; }
    bool PrepareToSleep() override { return true; }
    int descriptor() const override { return kNoDescriptor; }
  };
  auto loop = MakeLoop();
  Idle poller;
  loop->AddPoller(&poller);
  for (int i = 0; i < 3; ++i) {
    const int64_t until_ns = loop->NowNs() + 20'000'000;
    loop->RunOnce(until_ns);
    EXPECT_GE(loop->NowNs(), until_ns) << "woken by nothing";
  }
  loop->RemovePoller(&poller);
}

TEST(UringLoop, CancelEndsAReadThatWouldNeverEnd) {
  auto loop = MakeLoop();
  int fds[2];
  ASSERT_EQ(pipe(fds), 0);
  EXPECT_TRUE(loop->RunTask(CancelledRead(loop.get(), fds[0])));
  close(fds[0]);
  close(fds[1]);
}

TEST(UringLoop, MessagesFromOtherThreadsRunOnTheLoopThread) {
  auto loop = MakeLoop();
  const auto loop_thread = std::this_thread::get_id();
  int count = 0;
  std::thread sender([&] {
    for (int i = 0; i < 1000; ++i) {
      loop->PostFromAnyThread([&] {
        EXPECT_EQ(std::this_thread::get_id(), loop_thread);
        ++count;
      });
    }
    loop->Stop();
  });
  loop->Run();
  sender.join();
  loop->RunOnce(0);
  EXPECT_EQ(count, 1000);
}

Task<int64_t> SleepFor(UringLoop* loop, int64_t ns) {
  const int64_t start = loop->NowNs();
  co_await SleepUntil(loop, start + ns);
  co_return loop->NowNs() - start;
}

TEST(UringLoop, SleepsAtLeastAsLongAsAsked) {
  auto loop = MakeLoop();
  EXPECT_GE(loop->RunTask(SleepFor(loop.get(), 3'000'000)), 3'000'000);
}

TEST(UringLoop, MoreOperationsThanTheQueueHolds) {
  UringLoopOptions options;
  options.entries = 8;
  auto loop = UringLoop::Create(options);
  ASSERT_TRUE(loop.ok());
  int done = 0;
  auto one = [](UringLoop* owner, int* counter) -> Task<void> {
    const int32_t result = co_await owner->Submit([](io_uring_sqe* sqe) { io_uring_prep_nop(sqe); });
    if (result == 0) ++*counter;
  };
  auto all = [&]() -> Task<void> {
    TaskScope scope(loop->get());
    for (int i = 0; i < 500; ++i) scope.Spawn(one(loop->get(), &done));
    co_await scope.Join();
  };
  (*loop)->RunTask(all());
  EXPECT_EQ(done, 500);
}

}  // namespace
}  // namespace incipit
