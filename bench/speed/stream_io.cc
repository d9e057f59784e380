#include "bench/speed/stream_io.h"

#include <fmt/format.h>
#include <liburing.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "bench/common/stopwatch.h"

namespace incipit::bench {
namespace {

constexpr int64_t kSpinNs = 200'000;  // the longest that our own loop polls

absl::Status StreamError(const char* what, int64_t result) {
  return absl::UnavailableError(fmt::format(
      "plain stream: {}: {}", what, result == 0 ? "connection closed" : std::strerror(static_cast<int>(-result))));
}

// Calls `attempt`, which does not block, until it does something; spins at first, then sleeps until `events`.
template <typename Attempt>
ssize_t SpinThenSleep(int fd, short events, Attempt attempt) {
  int64_t since_ns = MonotonicNs();
  while (true) {
    const ssize_t result = attempt();
    if (result >= 0 || (errno != EAGAIN && errno != EINTR)) return result;
    if (MonotonicNs() - since_ns < kSpinNs) continue;
    pollfd wait{fd, events, 0};
    poll(&wait, 1, -1);
    since_ns = MonotonicNs();
  }
}

// One ring for the thread's plain streams.
io_uring* Ring() {
  thread_local struct Owner {
    Owner() { ok = io_uring_queue_init(8, &ring, 0) == 0; }
    ~Owner() {
      if (ok) io_uring_queue_exit(&ring);
    }
    io_uring ring{};
    bool ok = false;
  } owner;
  return owner.ok ? &owner.ring : nullptr;
}

template <typename Prepare>
ssize_t OnRing(Prepare prepare) {
  io_uring* ring = Ring();
  if (ring == nullptr) return errno = ENOSYS, -1;
  prepare(io_uring_get_sqe(ring));
  io_uring_submit_and_wait(ring, 1);
  io_uring_cqe* done = nullptr;
  if (io_uring_wait_cqe(ring, &done) != 0) return errno = EIO, -1;
  const int result = done->res;
  io_uring_cqe_seen(ring, done);
  if (result < 0) return errno = -result, -1;
  return result;
}

// Calls `step(done, take)` for one system call's worth at a time.
template <typename Step>
absl::Status MoveAll(const char* what, StreamVariant variant, size_t total, Step step) {
  size_t done = 0;
  while (done < total) {
    const ssize_t moved = step(done, std::min<size_t>(variant.chunk_bytes, total - done));
    if (moved < 0 && errno == EINTR) continue;
    if (moved <= 0) return StreamError(what, moved < 0 ? -errno : 0);
    done += static_cast<size_t>(moved);
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status ReceiveAll(int fd, StreamVariant variant, MutableBytes into) {
  return MoveAll("receive", variant, into.size(), [&](size_t done, size_t take) -> ssize_t {
    uint8_t* at = into.data() + done;
    switch (variant.waiting) {
      case StreamVariant::Waiting::kSpin:
        return SpinThenSleep(fd, POLLIN, [&] { return recv(fd, at, take, MSG_DONTWAIT); });
      case StreamVariant::Waiting::kRing:
        return OnRing([&](io_uring_sqe* sqe) { io_uring_prep_recv(sqe, fd, at, take, 0); });
      default:
        return recv(fd, at, take, 0);
    }
  });
}

absl::Status SendAll(int fd, StreamVariant variant, ByteView from) {
  return MoveAll("send", variant, from.size(), [&](size_t done, size_t take) -> ssize_t {
    const uint8_t* at = from.data() + done;
    switch (variant.waiting) {
      case StreamVariant::Waiting::kSpin:
        return SpinThenSleep(fd, POLLOUT, [&] { return send(fd, at, take, MSG_DONTWAIT | MSG_NOSIGNAL); });
      case StreamVariant::Waiting::kRing:
        return OnRing([&](io_uring_sqe* sqe) { io_uring_prep_send(sqe, fd, at, take, MSG_NOSIGNAL); });
      default:
        return send(fd, at, take, MSG_NOSIGNAL);
    }
  });
}

}  // namespace incipit::bench
