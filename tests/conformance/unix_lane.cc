#include <unistd.h>

#include <atomic>

#include "cache/base/check.h"
#include "incipit/shared_region.h"
#include "tests/conformance/lanes.h"
#include "tests/conformance/uring_lane.h"
#include "transport/unix/unix_endpoint.h"

namespace incipit::conformance {
namespace {

class UnixLane : public UringLane {
 public:
  UnixLane() {
    static std::atomic<int> count{0};
    address_ = "unix://@incipit-conformance-" + std::to_string(getpid()) + "-" + std::to_string(++count);
  }
  absl::StatusOr<std::unique_ptr<Listener>> Listen() override {
    absl::StatusOr<std::unique_ptr<UnixListener>> listener =
        UnixListener::Create(uring(), *ParseUnixAddress(address_), 0600);
    if (!listener.ok()) return listener.status();
    return *std::move(listener);
  }
  std::string address() const override { return address_; }

 private:
  std::string address_;
};

constexpr uint64_t kPoolBytes = 512 << 20;  // address space; pages are taken where they are used

// With the buffers where the node can reach them: in one pool, as an engine would have it.
class UnixSharedMemoryLane : public UnixLane {
 public:
  MutableBytes Allocate(uint64_t bytes) override {
    const uint64_t at = used_;
    used_ += AlignUp(bytes, 64);
    INCIPIT_CHECK(used_ <= kPoolBytes, "the test needs a larger pool");
    return {pool_->data() + at, bytes};
  }
  bool shares_memory() const override { return true; }

 private:
  std::unique_ptr<SharedRegion> pool_ = *SharedRegion::Create(kPoolBytes);
  uint64_t used_ = 0;
};

}  // namespace

std::unique_ptr<Lane> MakeUnixLane() { return std::make_unique<UnixLane>(); }
std::unique_ptr<Lane> MakeUnixSharedMemoryLane() { return std::make_unique<UnixSharedMemoryLane>(); }

}  // namespace incipit::conformance
