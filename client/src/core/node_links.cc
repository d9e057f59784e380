#include "client/src/core/node_links.h"

#include <fmt/format.h>

#include <utility>

#include "transport/ucx/ucx_address.h"

namespace incipit {
namespace {

// Why a connection is not there: what the node refused it for, if it did.
absl::Status Reason(const ShardConnection& connection, const absl::Status& waited) {
  const absl::Status& last = connection.last_error();
  return last.ok() || absl::IsCancelled(last) || absl::IsUnavailable(last) ? waited : last;
}

}  // namespace

NodeLinks::NodeLinks(Loop* loop, Connector* connector, Random* random, ShardConnectionOptions options,
                     ClientCounters* counters)
    : loop_(loop),
      connector_(connector),
      random_(random),
      options_(std::move(options)),
      counters_(counters),
      retiring_(loop) {}

std::shared_ptr<ShardConnection> NodeLinks::MakeConnection(uint16_t shard) {
  ShardConnectionOptions options = options_;
  options.shard = shard;
  if (shard != wire::kAnyShard) options.address = UcxAddressOfShard(options.address, shard);
  // Filled in once the connection exists; it names itself in what it reports.
  auto self = std::make_shared<ShardConnection*>(nullptr);
  options.on_hello = [this, self](const wire::HelloReply& hello) { return OnHello(*self, hello); };
  options.on_refused = [this, self](const absl::Status&) {
    if (*self != seed_.get()) OnRefused();
  };
  auto connection = std::make_shared<ShardConnection>(loop_, connector_, random_, std::move(options), counters_);
  *self = connection.get();
  return connection;
}

void NodeLinks::Start() { StartSeed(); }

void NodeLinks::StartSeed() {
  seed_ = MakeConnection(wire::kAnyShard);
  seed_->Start();
}

absl::Status NodeLinks::OnHello(ShardConnection* connection, const wire::HelloReply& hello) {
  if (stopping_) return absl::UnavailableError("the client is stopping");
  if (shards_ == nullptr) {
    if (connection != seed_.get()) return absl::UnavailableError("the node's shards are being learnt anew");
    auto shards = std::make_shared<ShardSet>(hello);
    for (uint16_t shard = 0; shard < hello.shard_count; ++shard) {
      shards->connections.push_back(shard == hello.shard ? seed_ : MakeConnection(shard));
    }
    shards_ = shards;
    hello_ = hello;
    for (const auto& other : shards->connections) {
      if (other != seed_) other->Start();
    }
    return absl::OkStatus();
  }
  if (hello.node_id == hello_.node_id && hello.shard_count == hello_.shard_count &&
      hello.placement_seed == hello_.placement_seed) {
    hello_.incarnation = hello.incarnation;
    return absl::OkStatus();
  }
  const uint16_t shard_count = hello_.shard_count;
  if (MayStartOver()) StartOver();
  return absl::UnavailableError(fmt::format("the node changed from {} shards to {}, or its identity: learning it anew",
                                            shard_count, hello.shard_count));
}

// At most once per longest pause: a node that changes all the time, or refuses for other reasons, must not make the
// client connect without end.
bool NodeLinks::MayStartOver() const { return loop_->NowNs() - started_over_ns_ >= options_.breaker.pause_max_ns; }

// A shard that the node had is refused: it may have been started with fewer.
void NodeLinks::OnRefused() {
  if (shards_ != nullptr && !stopping_ && MayStartOver()) StartOver();
}

void NodeLinks::StartOver() {
  started_over_ns_ = loop_->NowNs();
  std::shared_ptr<ShardSet> old = std::exchange(shards_, nullptr);
  for (const auto& connection : old->connections) retiring_.Spawn(Retire(connection));
  StartSeed();
}

Task<void> NodeLinks::Retire(std::shared_ptr<ShardConnection> connection) { co_await connection->Stop(); }

Task<void> NodeLinks::Stop() {
  stopping_ = true;
  if (shards_ != nullptr) {
    for (const auto& connection : shards_->connections) retiring_.Spawn(Retire(connection));
  } else if (seed_ != nullptr) {
    retiring_.Spawn(Retire(seed_));
  }
  co_await retiring_.Join();
}

Task<absl::StatusOr<std::shared_ptr<ShardSet>>> NodeLinks::Shards(int64_t deadline_ns) {
  while (shards_ == nullptr) {
    const std::shared_ptr<ShardConnection> seed = seed_;
    absl::Status ready = co_await seed->WaitReady(deadline_ns);
    if (!ready.ok()) co_return ready;
    if (shards_ == nullptr && seed == seed_) co_return absl::UnavailableError("the node's shards are not known yet");
  }
  co_return shards_;
}

Task<absl::Status> NodeLinks::WaitAllReady(int64_t deadline_ns) {
  const std::shared_ptr<ShardConnection> seed = seed_;
  absl::StatusOr<std::shared_ptr<ShardSet>> shards = co_await Shards(deadline_ns);
  if (!shards.ok()) co_return Reason(*seed, shards.status());
  for (const auto& connection : (*shards)->connections) {
    absl::Status ready = co_await connection->WaitReady(deadline_ns);
    if (!ready.ok()) co_return Reason(*connection, ready);
  }
  co_return absl::OkStatus();
}

NodeInfo NodeLinks::info() const {
  NodeInfo info;
  if (shards_ == nullptr) return info;
  for (const auto& connection : shards_->connections) info.connected |= connection->ready();
  info.address = options_.address;
  info.name = hello_.node_name;
  info.node_id = hello_.node_id;
  info.incarnation = hello_.incarnation;
  info.shard_count = hello_.shard_count;
  return info;
}

}  // namespace incipit
