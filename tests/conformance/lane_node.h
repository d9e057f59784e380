// A node of one shard on any lane.
#pragma once

#include <memory>

#include "cache/node/acceptor.h"
#include "cache/seams/mem_disk.h"
#include "cache/seams/random.h"
#include "cache/shard/shard.h"
#include "tests/conformance/lane.h"

namespace incipit::conformance {

// The lane must outlive it. Stop() before destruction.
class LaneNode {
 public:
  explicit LaneNode(Lane* lane) : lane_(lane), random_(MakeSeededRandom(7)), scope_(lane->loop()) {}
  ~LaneNode() { Stop(); }

  // With an NVMe tier of so many bytes, if not 0. Only for `tenants` that prove themselves, if there are any.
  absl::Status Start(ShardOptions options, uint64_t nvme_bytes = 0, const TenantTableRef& tenants = nullptr) {
    options.identity.node_id = 42;
    options.identity.incarnation = random_->Next();
    options.store.huge_pages = false;
    options.nvme.region_bytes = 512 << 10;
    options.nvme.write_buffer_bytes = 128 << 10;
    options.nvme.read_slot_bytes = 64 << 10;
    options.nvme.read_slots = 16;
    if (nvme_bytes > 0) {
      disk_ = std::make_unique<MemDisk>(lane_->loop(), std::make_shared<MemDiskContents>(nvme_bytes));
    }
    auto shard = lane_->Run(Shard::Open(lane_->loop(), random_.get(), disk_.get(), options));
    if (!shard.ok()) return shard.status();
    shard_ = *std::move(shard);
    auto listener = lane_->Listen();
    if (!listener.ok()) return listener.status();
    listener_ = *std::move(listener);
    if (tenants != nullptr) {
      shard_->SetTenants(tenants);
      authenticator_ = std::make_unique<Authenticator>(random_.get(), nullptr, tenants);
    }
    acceptor_ = std::make_unique<Acceptor>(
        lane_->loop(), listener_.get(), AcceptorOptions{.shard_count = 1, .authenticator = authenticator_.get()},
        [this](uint16_t, std::unique_ptr<FrameChannel> channel, wire::Hello hello, uint64_t request_id,
               SessionPass pass) { shard_->Adopt(std::move(channel), hello, request_id, std::move(pass)); });
    scope_.Spawn(acceptor_->Run());
    shard_->StartRecovery();
    return absl::OkStatus();
  }

  // Ends every connection at once, as the end of the process would.
  void Stop() {
    if (acceptor_ != nullptr) {
      acceptor_->Stop();
      const auto join = [](TaskScope* scope) -> Task<void> { co_await scope->Join(); };
      lane_->Run(join(&scope_));
      acceptor_.reset();
      listener_.reset();
    }
    if (shard_ != nullptr) {
      lane_->Run(shard_->Shutdown(lane_->loop()->NowNs() + 60'000'000'000)).IgnoreError();
    }
    shard_.reset();
    disk_.reset();
  }

  Shard* shard() { return shard_.get(); }

 private:
  Lane* lane_;
  std::unique_ptr<Random> random_;
  std::unique_ptr<MemDisk> disk_;
  std::unique_ptr<Shard> shard_;
  std::unique_ptr<Listener> listener_;
  std::unique_ptr<Authenticator> authenticator_;
  std::unique_ptr<Acceptor> acceptor_;
  TaskScope scope_;
};

}  // namespace incipit::conformance
