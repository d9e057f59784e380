// Clients that vanish without a word, as when their host loses its power: the node gives back what it holds for them
// within the bound of keepalive and stall watch, and serves others.
// campaign_half_open BINARY; INCIPIT_LANE tcp (default) or ucx, INCIPIT_CAMPAIGN_COUNT idle and as many busy clients.
// All runs in a network namespace of its own, whose loopback is taken down while everybody is connected. The node is
// asked over its Unix socket, which that does not touch. The clients are this very program, started again.
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>

#include "cache/base/check.h"
#include "incipit/client.h"
#include "tests/processes/node_process.h"
#include "tests/support/blocks.h"
#include "tests/support/campaign.h"
#include "tests/support/own_network.h"

namespace incipit::campaign {
namespace {

using testing::SetLoopback;

constexpr uint64_t kBatch = 12;
constexpr uint32_t kLeaseMs = 600'000;
// A host that is gone is noticed within 16 s, idle or not (transport/tcp/, transport/ucx/ucx_sockets.h), an unfinished
// frame by the stall watch within 20 s. And room for machines that are shared.
constexpr double kBoundMs = 25'000;
// A node limits what new connections of UCX may do once they have been there for a second.
constexpr useconds_t kSettleUs = 2'000'000;
constexpr double kStartMs = 60'000;

Layout HalfOpenLayout() { return testing::SmallLayout(4, 4096); }  // blocks of 256 KiB

absl::StatusOr<std::unique_ptr<Client>> ConnectTo(const std::string& address) {
  ClientOptions options;
  options.address = address;
  options.model = "half-open";
  options.layout = HalfOpenLayout();
  options.default_deadline_ms = 30'000;
  return Client::Connect(std::move(options));
}

// Blocks that every client shares, and memory of one client for them.
struct Batch {
  Batch() {
    for (uint64_t i = 0; i < kBatch; ++i) {
      keys.push_back(testing::KeyOf(i));
      buffers.push_back(testing::PayloadOf(keys.back(), HalfOpenLayout().groups[0].BlockBytes()));
    }
  }
  template <typename Request>
  Request As() {
    Request request;
    for (uint64_t i = 0; i < kBatch; ++i) {
      request.items.push_back({.key = keys[i], .buffer = {buffers[i].data(), buffers[i].size()}});
    }
    return request;
  }
  std::vector<std::vector<uint8_t>> keys, buffers;
};

// Pins blocks; then idle, or loading for ever. Ends only by being killed: calls fail once nothing gets through.
int RunClient(const std::string& address, bool busy) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  const auto client = ConnectTo(address);
  if (!client.ok()) return 1;
  Batch batch;
  std::vector<BlockKey> keys(batch.keys.begin(), batch.keys.end());
  MatchRequest match{.groups = {KeyList(keys)}, .lease_ms = kLeaseMs};
  const auto held = (*client)->Match(std::move(match));
  if (!held.ok() || write(STDOUT_FILENO, "r", 1) != 1) return 1;
  while (busy) (*client)->Load(batch.As<LoadRequest>()).status().IgnoreError();
  while (true) pause();
}

class HalfOpen {
 public:
  HalfOpen(std::string self, std::string binary, std::string lane, uint64_t count)
      : self_(std::move(self)), binary_(std::move(binary)), lane_(std::move(lane)), count_(count) {}
  ~HalfOpen() { KillClients(); }

  absl::Status Run() {
    if (absl::Status status = Start(); !status.ok()) return status;
    usleep(kSettleUs);
    if (!SetLoopback(false)) return absl::UnavailableError("take the loopback down");
    const double start_ms = NowMs();
    while ((Stat("sessions") != 1 || Stat("pinned_bytes") != 0) && NowMs() - start_ms < kBoundMs) usleep(10'000);
    reclaim_ms_ = NowMs() - start_ms;
    sessions_left_ = Stat("sessions") - 1;
    pinned_left_ = Stat("pinned_bytes");
    KillClients();
    if (!SetLoopback(true)) return absl::UnavailableError("bring the loopback up again");
    return CheckServes();
  }
  bool Summarize() const {
    std::printf(
        "half_open: lane %s, clients %lu idle and %lu busy, sessions left %lu, pinned bytes left %lu of %lu, reclaimed "
        "after %.1f s, bound %.0f s\n",
        lane_.c_str(), count_, count_, sessions_left_, pinned_left_, pinned_, reclaim_ms_ / 1000, kBoundMs / 1000);
    return sessions_left_ == 0 && pinned_left_ == 0 && pinned_ > 0;
  }
  void PrintLog() const { std::printf("%s\n", TailOf(log_).c_str()); }

 private:
  absl::Status Start() {
    const std::string socket = scratch_.path() + "/node.sock";
    std::vector<std::string> arguments = {"--shards",      "1",    "--ram",       "64MiB",
                                          "--listen-unix", socket, "--log-level", "warn"};
    if (lane_ == "ucx") arguments.insert(arguments.end(), {"--listen-ucx", "127.0.0.1:0"});
    auto node = NodeProcess::Start(binary_, arguments, log_);
    if (!node.ok()) return node.status();
    node_ = *std::move(node);
    address_ = lane_ == "ucx" ? node_->ucx_address() : node_->address();
    auto client = ConnectTo("unix://" + socket);
    if (!client.ok()) return client.status();
    client_ = *std::move(client);
    const auto stored = client_->Store(Batch().As<StoreRequest>());
    if (!stored.ok() || stored->Count(BlockStatus::kOk) != kBatch) return absl::InternalError("blocks not stored");
    for (uint64_t i = 0; i < 2 * count_; ++i) {
      if (!StartClient(i % 2 == 0 ? "idle" : "busy")) return absl::InternalError("a client did not start");
    }
    const double start_ms = NowMs();
    while (Stat("sessions") != 1 + 2 * count_ && NowMs() - start_ms < kStartMs) usleep(1000);
    pinned_ = Stat("pinned_bytes");
    if (Stat("sessions") == 1 + 2 * count_) return absl::OkStatus();
    return absl::InternalError("not every client has its session");
  }

  bool StartClient(const char* kind) {
    int ready[2];
    INCIPIT_CHECK(pipe2(ready, O_CLOEXEC) == 0, "pipe");
    const pid_t pid = fork();
    if (pid == 0) {
      dup2(ready[1], STDOUT_FILENO);
      execl(self_.c_str(), self_.c_str(), "--client", address_.c_str(), kind, nullptr);
      _exit(127);
    }
    clients_.push_back(pid);
    close(ready[1]);
    char byte = 0;
    const bool started = read(ready[0], &byte, 1) == 1;
    close(ready[0]);
    return started;
  }
  void KillClients() {
    for (const pid_t pid : clients_) {
      kill(pid, SIGKILL);
      waitpid(pid, nullptr, 0);
    }
    clients_.clear();
  }

  uint64_t Stat(const std::string& name) {
    const auto stats = client_->Stats();
    if (!stats.ok()) return UINT64_MAX;
    for (const auto& [found, value] : (*stats)[0].values) {
      if (found == name) return value;
    }
    return UINT64_MAX;
  }

  // To a new client on the same lane, every byte right; and an orderly end.
  absl::Status CheckServes() {
    const auto client = ConnectTo(address_);
    if (!client.ok()) return client.status();
    Batch expected, got;
    for (std::vector<uint8_t>& buffer : got.buffers) std::fill(buffer.begin(), buffer.end(), uint8_t{0});
    const auto loaded = (*client)->Load(got.As<LoadRequest>());
    if (!loaded.ok()) return loaded.status();
    if (loaded->hits != kBatch || got.buffers != expected.buffers)
      return absl::DataLossError("wrong or missing blocks");
    client_.reset();
    return node_->Stop() == 0 ? absl::OkStatus() : absl::InternalError("an orderly stop failed");
  }

  std::string self_, binary_, lane_;
  uint64_t count_;
  ScratchDirectory scratch_;
  std::string log_ = scratch_.path() + "/node.log";
  std::unique_ptr<NodeProcess> node_;
  std::string address_;
  std::unique_ptr<Client> client_;
  std::vector<pid_t> clients_;
  uint64_t pinned_ = 0, sessions_left_ = 0, pinned_left_ = 0;
  double reclaim_ms_ = 0;
};

}  // namespace
}  // namespace incipit::campaign

int main(int argc, char** argv) {
  using incipit::campaign::HalfOpen;
  if (argc == 4 && std::strcmp(argv[1], "--client") == 0) {
    return incipit::campaign::RunClient(argv[2], std::strcmp(argv[3], "busy") == 0);
  }
  if (argc != 2) {
    std::fprintf(stderr, "usage: %s BINARY\n", argv[0]);
    return 2;
  }
  if (!incipit::testing::EnterOwnNetwork()) {
    std::printf("half_open: no network namespace (%s): run it as root\n", std::strerror(errno));
    return 1;
  }
  const char* lane = std::getenv("INCIPIT_LANE");
  HalfOpen campaign(argv[0], argv[1], lane == nullptr ? "tcp" : lane, incipit::testing::CampaignCount(3));
  const absl::Status ran = campaign.Run();
  if (!ran.ok()) std::printf("half_open: %s\n", ran.ToString().c_str());
  const bool ok = campaign.Summarize() && ran.ok();
  std::printf("half_open: %s\n", ok ? "ok" : "FAILED");
  if (!ok) campaign.PrintLog();
  return ok ? 0 : 1;
}
