// kill -9 of clients at random moments of their loads and stores: the node holds nothing for them afterwards, and no
// block of theirs can be found but whole. campaign_client_kill BINARY; INCIPIT_LANE unix (default), tcp or ucx,
// INCIPIT_CAMPAIGN_COUNT kills, INCIPIT_SEED chooses work and moments. The clients are this very program, started
// again.
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <filesystem>

#include "cache/base/check.h"
#include "cache/seams/random.h"
#include "fmt/format.h"
#include "incipit/client.h"
#include "incipit/shared_region.h"
#include "tests/processes/node_process.h"
#include "tests/support/blocks.h"
#include "tests/support/campaign.h"

namespace incipit::campaign {
namespace {

constexpr uint64_t kBatch = 12;
constexpr uint64_t kBlocksChecked = 240;  // of one client; more than it stores before it is killed
constexpr uint64_t kLongestLifeUs = 40'000;
constexpr double kReclaimMs = 5000;  // the node must have let go of everything by then
// UCX's tcp does not always hear of the death at once: then its keepalive finds out (transport/ucx/README.md).
constexpr double kReclaimByKeepaliveMs = 20'000;
constexpr uint32_t kLeaseMs = 600'000;

Layout KillLayout() { return testing::SmallLayout(4, 4096); }  // blocks of 256 KiB

absl::StatusOr<std::unique_ptr<Client>> ConnectTo(const std::string& address) {
  ClientOptions options;
  options.address = address;
  options.model = "kill";
  options.layout = KillLayout();
  options.progress = Progress::kCaller;
  options.default_deadline_ms = 10'000;
  return Client::Connect(std::move(options));
}

// Blocks [first, first + count) of one worker, with memory for them that the node can reach.
struct Batch {
  explicit Batch(uint8_t* memory) : at(memory) {}
  void Add(uint64_t number) {
    keys.push_back(testing::KeyOf(number));
    buffers.push_back({at, KillLayout().groups[0].BlockBytes()});
    at += buffers.back().iov_len;
  }
  StoreRequest Store() const {
    StoreRequest request;
    for (size_t i = 0; i < keys.size(); ++i) request.items.push_back({.key = keys[i], .buffer = buffers[i]});
    return request;
  }
  LoadRequest Load() const {
    LoadRequest request;
    for (size_t i = 0; i < keys.size(); ++i) request.items.push_back({.key = keys[i], .buffer = buffers[i]});
    return request;
  }
  uint8_t* at;
  std::vector<std::vector<uint8_t>> keys;
  std::vector<iovec> buffers;
};

// What a client does until it is killed: stores new blocks, pins and loads them.
int RunWorker(const std::string& address, uint64_t first_number) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  auto client = ConnectTo(address);
  auto pool = SharedRegion::Create(kBatch * KillLayout().groups[0].BlockBytes());
  if (!client.ok() || !pool.ok()) return 1;
  const std::unique_ptr<Random> random = MakeSeededRandom(first_number);
  if (write(STDOUT_FILENO, "r", 1) != 1) return 1;
  uint64_t stored = 0;
  std::vector<MatchResult> held;
  while (true) {
    if (stored + kBatch > kBlocksChecked) stored = 0;
    Batch fresh((*pool)->data());
    for (uint64_t i = 1 + random->Below(kBatch); i > 0; --i) {
      fresh.Add(first_number + stored++);
      const auto bytes = testing::PayloadOf(fresh.keys.back(), fresh.buffers.back().iov_len);
      std::memcpy(fresh.buffers.back().iov_base, bytes.data(), bytes.size());
    }
    if (!(*client)->Store(fresh.Store()).ok()) return 1;
    std::vector<BlockKey> keys;
    for (const auto& key : fresh.keys) keys.emplace_back(key);
    MatchRequest match{.groups = {KeyList(keys)}, .lease_ms = kLeaseMs};
    auto matched = (*client)->Match(std::move(match));
    if (matched.ok()) held.push_back(*std::move(matched));
    if (held.size() > 3) held.erase(held.begin());
    if (!(*client)->Load(fresh.Load()).ok()) return 1;
  }
}

class ClientKill {
 public:
  ClientKill(std::string self, std::string binary, std::string lane, uint64_t seed)
      : self_(std::move(self)), binary_(std::move(binary)), lane_(std::move(lane)), random_(MakeSeededRandom(seed)) {}

  absl::Status Start() {
    const std::string socket = scratch_.path() + "/node.sock";
    std::vector<std::string> arguments = {"--shards",      "1",    "--ram",       "64MiB",
                                          "--listen-unix", socket, "--log-level", "warn"};
    if (lane_ == "ucx") arguments.insert(arguments.end(), {"--listen-ucx", "127.0.0.1:0"});
    auto node = NodeProcess::Start(binary_, arguments, log_);
    if (!node.ok()) return node.status();
    node_ = *std::move(node);
    address_ = node_->address();
    if (lane_ == "unix") address_ = "unix://" + socket;
    if (lane_ == "ucx") address_ = node_->ucx_address();
    auto client = ConnectTo(address_);
    if (!client.ok()) return client.status();
    client_ = *std::move(client);
    auto pool = SharedRegion::Create(kBlocksChecked * KillLayout().groups[0].BlockBytes());
    if (!pool.ok()) return pool.status();
    pool_ = *std::move(pool);
    return absl::OkStatus();
  }

  // One client's life. False: stop here.
  bool Live() {
    const uint64_t first_number = (kills_ + 1) << 20;
    int ready[2];
    INCIPIT_CHECK(pipe2(ready, O_CLOEXEC) == 0, "pipe");
    const pid_t pid = fork();
    if (pid == 0) {
      dup2(ready[1], STDOUT_FILENO);
      const std::string number = std::to_string(first_number);
      execl(self_.c_str(), self_.c_str(), "--worker", address_.c_str(), number.c_str(), nullptr);
      _exit(127);
    }
    close(ready[1]);
    char byte = 0;
    const bool started = read(ready[0], &byte, 1) == 1;
    close(ready[0]);
    usleep(static_cast<useconds_t>(random_->Below(kLongestLifeUs)));
    kill(pid, SIGKILL);
    int status = 0;
    waitpid(pid, &status, 0);
    ++kills_;
    if (!started || !WIFSIGNALED(status)) return Violation("a client ended on its own");
    return CheckHeld() && CheckBlocks(first_number);
  }

  bool Finish() {
    client_.reset();
    if (node_->Stop() != 0) return Violation("an orderly stop failed");
    return !std::filesystem::exists(scratch_.path() + "/node.sock") || Violation("the socket's file is still there");
  }
  bool Summarize() const {
    std::printf(
        "client_kill: lane %s, kills %lu, blocks verified %lu, partial or wrong blocks %lu, pinned bytes leaked %lu, "
        "arena bytes leaked %lu, reclaimed after %.1f ms at most\n",
        lane_.c_str(), kills_, verified_, wrong_, pinned_, leaked_, worst_reclaim_ms_);
    return !violated_ && wrong_ == 0 && pinned_ == 0 && leaked_ == 0 && verified_ > 0;
  }
  void PrintLog() const { std::printf("%s\n", TailOf(log_).c_str()); }

 private:
  bool Violation(const std::string& what) {
    std::printf("  violation after %lu kills: %s\n", kills_, what.c_str());
    violated_ = true;
    return false;
  }
  uint64_t Stat(const std::string& name) {
    const auto stats = client_->Stats();
    if (!stats.ok()) return UINT64_MAX;
    for (const auto& [found, value] : (*stats)[0].values) {
      if (found == name) return value;
    }
    return UINT64_MAX;
  }

  // Sessions, pins and memory of the dead.
  bool CheckHeld() {
    const double start_ms = NowMs(), allowed_ms = lane_ == "ucx" ? kReclaimByKeepaliveMs : kReclaimMs;
    while (Stat("sessions") != 1 && NowMs() - start_ms < allowed_ms) usleep(200);
    worst_reclaim_ms_ = std::max(worst_reclaim_ms_, NowMs() - start_ms);
    if (Stat("sessions") != 1) return Violation("the session of a killed client is still there");
    pinned_ += Stat("pinned_bytes");
    if (Stat("pinned_bytes") != 0) return Violation("bytes are pinned for a killed client");
    const uint64_t blocks = Stat("blocks_in_ram"), requested = Stat("ram_requested_bytes");
    if (blocks == 0) return requested == 0 || Violation("memory is held for no block");
    if (record_bytes_ == 0) record_bytes_ = requested / blocks;
    leaked_ += requested - blocks * record_bytes_;
    return requested == blocks * record_bytes_ || Violation("memory is held for blocks that nobody can find");
  }

  // Every byte of whatever can be found.
  bool CheckBlocks(uint64_t first_number) {
    Batch all(pool_->data());
    for (uint64_t i = 0; i < kBlocksChecked; ++i) all.Add(first_number + i);
    const auto result = client_->Load(all.Load());
    if (!result.ok()) return Violation(result.status().ToString());
    for (size_t i = 0; i < result->status.size(); ++i) {
      if (result->status[i] != BlockStatus::kOk) continue;
      const auto expected = testing::PayloadOf(all.keys[i], all.buffers[i].iov_len);
      ++verified_;
      wrong_ += std::memcmp(all.buffers[i].iov_base, expected.data(), expected.size()) != 0 ? 1 : 0;
    }
    return wrong_ == 0 || Violation("a block is partial or wrong");
  }

  std::string self_, binary_, lane_;
  std::unique_ptr<Random> random_;
  ScratchDirectory scratch_;
  std::string log_ = scratch_.path() + "/node.log";
  std::unique_ptr<NodeProcess> node_;
  std::string address_;
  std::unique_ptr<SharedRegion> pool_;
  std::unique_ptr<Client> client_;
  uint64_t kills_ = 0, verified_ = 0, wrong_ = 0, pinned_ = 0, leaked_ = 0, record_bytes_ = 0;
  double worst_reclaim_ms_ = 0;
  bool violated_ = false;
};

}  // namespace
}  // namespace incipit::campaign

int main(int argc, char** argv) {
  using incipit::campaign::ClientKill;
  if (argc == 4 && std::strcmp(argv[1], "--worker") == 0) {
    return incipit::campaign::RunWorker(argv[2], std::strtoull(argv[3], nullptr, 10));
  }
  if (argc != 2) {
    std::fprintf(stderr, "usage: %s BINARY\n", argv[0]);
    return 2;
  }
  const uint64_t kills = incipit::testing::CampaignCount(30), seed = incipit::testing::CampaignSeed();
  const char* lane = std::getenv("INCIPIT_LANE");
  ClientKill campaign(argv[0], argv[1], lane == nullptr ? "unix" : lane, seed);
  const absl::Status started = campaign.Start();
  bool ok = started.ok();
  if (!ok) std::printf("client_kill: %s\n", started.ToString().c_str());
  for (uint64_t i = 0; i < kills && ok; ++i) ok = campaign.Live();
  ok = ok && campaign.Finish();
  ok = campaign.Summarize() && ok;
  std::printf("client_kill: seed %lu: %s\n", seed, ok ? "ok" : "FAILED");
  if (!ok) campaign.PrintLog();
  return ok ? 0 : 1;
}
