// Memory that a test's peer shares with a shard by hand, rightly or wrongly.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <utility>

#include "cache/base/bytes.h"
#include "transport/owned_fd.h"
#include "transport/shared/control_words.h"

namespace incipit::conformance {

inline OwnedFd MakeMemory(uint64_t bytes, int seals, unsigned more_flags = 0) {
  OwnedFd fd(memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING | more_flags));
  EXPECT_TRUE(fd.valid());
  EXPECT_EQ(ftruncate(fd.get(), static_cast<off_t>(bytes)), 0);
  EXPECT_EQ(fcntl(fd.get(), F_ADD_SEALS, seals), 0);
  return fd;
}

// A region, a page of control words and the pipe that goes with it, mapped here too. Nobody knows of them before they
// are registered. Tests may take it apart.
struct PeerMemory {
  PeerMemory() = default;
  ~PeerMemory() { Unmap(); }
  PeerMemory(const PeerMemory&) = delete;
  PeerMemory& operator=(const PeerMemory&) = delete;

  void Make(uint64_t size) {
    bytes = size;
    int ends[2];
    ASSERT_EQ(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    pipe[0] = OwnedFd(ends[0]);
    pipe[1] = OwnedFd(ends[1]);
    fd = MakeMemory(bytes, F_SEAL_SHRINK);
    control_fd = MakeMemory(kControlBytes, F_SEAL_SHRINK);
    data = static_cast<uint8_t*>(mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0));
    control = static_cast<ControlWord*>(
        mmap(nullptr, kControlBytes, PROT_READ | PROT_WRITE, MAP_SHARED, control_fd.get(), 0));
  }
  void UnmapData() {
    if (data != nullptr) munmap(std::exchange(data, nullptr), bytes);
  }
  void Unmap() {
    UnmapData();
    if (control != nullptr) munmap(std::exchange(control, nullptr), kControlBytes);
  }
  MutableBytes view() const { return {data, bytes}; }

  uint64_t bytes = 0;
  OwnedFd pipe[2], fd, control_fd;  // the shard gets pipe[1], and holds it as long as it maps
  uint8_t* data = nullptr;
  ControlWord* control = nullptr;
};

}  // namespace incipit::conformance
