// A whole node in one thread of virtual time: shards, acceptor and an in-memory network.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "cache/base/check.h"
#include "cache/node/acceptor.h"
#include "cache/runtime/sim_loop.h"
#include "cache/seams/random.h"
#include "cache/shard/session.h"
#include "cache/shard/shard.h"
#include "transport/mem/mem_network.h"

namespace incipit::testing {

// The loop, network, random source and disks must outlive it. Stop() before destruction.
class SimNode {
 public:
  SimNode(SimLoop* loop, MemNetwork* network, Random* random, std::string address = "node")
      : loop_(loop), network_(network), random_(random), address_(std::move(address)), acceptor_scope_(loop) {}
  ~SimNode() { Stop(); }

  // One shard per disk; a null disk means no NVMe tier. With `tenants`, clients need credentials.
  absl::Status Start(ShardOptions options, std::vector<Disk*> disks, TenantTableRef tenants = nullptr) {
    if (options.identity.node_id == 0) options.identity.node_id = 42;
    options.identity.incarnation = random_->Next();
    options.identity.shard_count = static_cast<uint16_t>(disks.size());
    options.store.huge_pages = false;
    for (size_t i = 0; i < disks.size(); ++i) {
      options.identity.shard = static_cast<uint16_t>(i);
      options.nvme.shard = static_cast<uint32_t>(i);
      options.nvme.shard_count = static_cast<uint32_t>(disks.size());
      auto shard = loop_->Run(Shard::Open(loop_, random_, disks[i], options));
      if (!shard.ok()) return shard.status();
      shards_.push_back(*std::move(shard));
    }
    auto listener = network_->Listen(address_);
    if (!listener.ok()) return listener.status();
    listener_ = *std::move(listener);
    if (tenants != nullptr) {
      authenticator_ = std::make_unique<Authenticator>(random_, options.audit, nullptr);
      SetTenants(tenants);
    }
    AcceptorOptions acceptor_options;
    acceptor_options.authenticator = authenticator_.get();
    acceptor_options.shard_count = options.identity.shard_count;
    acceptor_ = std::make_unique<Acceptor>(
        loop_, listener_.get(), acceptor_options,
        [this](uint16_t shard, std::unique_ptr<FrameChannel> channel, wire::Hello hello, uint64_t request_id,
               SessionPass pass) { shards_[shard]->Adopt(std::move(channel), hello, request_id, std::move(pass)); });
    acceptor_scope_.Spawn(acceptor_->Run());
    for (auto& shard : shards_) shard->StartRecovery();
    return absl::OkStatus();
  }

  void Stop() {
    if (acceptor_ != nullptr) {
      acceptor_->Stop();
      auto joined = [this]() -> Task<void> { co_await acceptor_scope_.Join(); };
      RunBounded(joined());
      acceptor_.reset();
      listener_.reset();
    }
    for (auto& shard : shards_) {
      auto shut_down = [](Shard* each, int64_t deadline_ns) -> Task<void> {
        Task<absl::Status> stopping = each->Shutdown(deadline_ns);
        const absl::Status ignored = co_await stopping;
      };
      RunBounded(shut_down(shard.get(), loop_->NowNs() + kShutdownNs));
    }
    shards_.clear();
  }

  // As a reload does. REQUIRES: started with tenants.
  void SetTenants(const TenantTableRef& tenants) {
    for (auto& shard : shards_) shard->SetTenants(tenants);
    authenticator_->SetTenants(tenants);
  }
  Authenticator* authenticator() { return authenticator_.get(); }

  Shard* shard(size_t index) { return shards_[index].get(); }
  size_t shard_count() const { return shards_.size(); }
  const std::string& address() const { return address_; }

 private:
  static constexpr int64_t kShutdownNs = 60'000'000'000;

  // A node that does not end would run on with all that shares its loop, for ever.
  void RunBounded(Task<void> task) {
    bool ended = false;
    auto run = [](Task<void> what, bool* done) -> Task<void> {
      co_await what;
      *done = true;
    };
    TaskScope scope(loop_);
    scope.Spawn(run(std::move(task), &ended));
    const int64_t until_ns = loop_->NowNs() + 10 * kShutdownNs;
    while (!ended) {
      INCIPIT_CHECK(loop_->NowNs() < until_ns, "a node has not stopped within ten minutes");
      INCIPIT_CHECK(loop_->RunOnce(), "a node cannot stop: nothing is left to do");
    }
  }

  SimLoop* loop_;
  MemNetwork* network_;
  Random* random_;
  std::string address_;
  std::vector<std::unique_ptr<Shard>> shards_;
  std::unique_ptr<Listener> listener_;
  std::unique_ptr<Authenticator> authenticator_;
  std::unique_ptr<Acceptor> acceptor_;
  TaskScope acceptor_scope_;
};

}  // namespace incipit::testing
