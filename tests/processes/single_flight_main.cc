// Many processes miss the same prompt at once: one computes it, the others stream behind it; then the same with a
// kill -9 of the one that computes.
// campaign_single_flight BINARY; INCIPIT_CAMPAIGN_COUNT workers, INCIPIT_FLIGHT_TOKENS, INCIPIT_FLIGHT_MS of computing.
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <new>

#include "cache/base/check.h"
#include "fmt/format.h"
#include "tests/processes/flight_worker.h"
#include "tests/processes/node_process.h"
#include "tests/support/campaign.h"

namespace incipit::campaign {
namespace {

constexpr uint64_t kBlockTokens = 64;
constexpr size_t kShards = 2;
constexpr double kTargetRatio = 1.15;
constexpr double kLongestStartMs = 60'000;

class SingleFlight {
 public:
  SingleFlight(std::string binary, size_t workers, FlightPlanOfRun plan)
      : binary_(std::move(binary)), plan_(plan), pids_(workers) {
    // One more than there are workers: the start signal, a cache line away from them.
    bytes_ = (workers + 1) * sizeof(FlightReport);
    void* memory = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    INCIPIT_CHECK(memory != MAP_FAILED, "memory for the workers' reports");
    reports_ = static_cast<FlightReport*>(memory);
    for (size_t i = 0; i <= workers; ++i) new (reports_ + i) FlightReport;
  }
  ~SingleFlight() {
    for (const pid_t pid : pids_) {
      if (pid > 0) kill(pid, SIGKILL);
    }
    for (const pid_t pid : pids_) {
      if (pid > 0) waitpid(pid, nullptr, 0);
    }
    munmap(reports_, bytes_);
  }
  SingleFlight(const SingleFlight&) = delete;
  SingleFlight& operator=(const SingleFlight&) = delete;

  bool Run(bool with_death) {
    auto node = NodeProcess::Start(
        binary_,
        {"--shards", fmt::format("{}", kShards), "--ram", fmt::format("{}MiB", RamMiB()), "--log-level", "warn"},
        scratch_.path() + "/node.log");
    if (!node.ok()) return Violation(std::string(node.status().message()));
    for (size_t i = 0; i < pids_.size(); ++i) Fork(i, (*node)->address());
    if (!AwaitReady()) return Violation("the workers did not connect in time");
    start_ms_ = NowMs();
    go()->store(1);
    if (with_death && !KillTheComputing()) return Violation("nobody computed");
    if (!AwaitAll()) return false;
    return Judge((*node)->address(), with_death);
  }

 private:
  FlightReport& report(size_t worker) { return reports_[worker]; }
  std::atomic<uint32_t>* go() { return &reports_[pids_.size()].ready; }
  uint64_t RamMiB() const { return plan_.blocks * 5 / 1024 + 128; }
  bool Violation(const std::string& what) {
    std::printf("  violation: %s\n", what.c_str());
    return false;
  }

  void Fork(size_t worker, const std::string& address) {
    std::fflush(stdout);
    const pid_t pid = fork();
    INCIPIT_CHECK(pid >= 0, "fork a worker");
    if (pid == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      const bool ok = FlightWorker(plan_, &report(worker)).Run(address, go());
      std::fflush(stdout);
      _exit(ok ? 0 : 1);  // Nothing of the parent's, the node least of all, may be ended here.
    }
    pids_[worker] = pid;
  }

  bool AwaitReady() {
    const double until_ms = NowMs() + kLongestStartMs;
    for (size_t i = 0; i < pids_.size(); ++i) {
      while (report(i).ready == 0) {
        if (NowMs() > until_ms) return false;
        usleep(1000);
      }
    }
    return true;
  }

  // When half of the prompt is there, or a little later.
  bool KillTheComputing() {
    const double until_ms = NowMs() + 10 * plan_.compute_ms + kLongestStartMs;
    while (NowMs() < until_ms) {
      for (size_t i = 0; i < pids_.size(); ++i) {
        if (report(i).computed < plan_.blocks / 2) continue;
        kill(pids_[i], SIGKILL);
        waitpid(std::exchange(pids_[i], -1), nullptr, 0);
        return true;
      }
      usleep(1000);
    }
    return false;
  }

  bool AwaitAll() {
    bool ok = true;
    for (size_t i = 0; i < pids_.size(); ++i) {
      if (pids_[i] < 0) continue;
      int status = 0;
      waitpid(std::exchange(pids_[i], -1), &status, 0);
      if (status != 0) ok = Violation(fmt::format("worker {} ended with status {:#x}", i, status));
    }
    return ok;
  }

  bool Judge(const std::string& address, bool with_death) {
    double computed_ms = 0, last_ms = 0;
    uint64_t computers = 0, computed = 0, loaded = 0, wrong = 0, waits = 0, done = 0;
    for (size_t i = 0; i < pids_.size(); ++i) {
      const FlightReport& r = report(i);
      computers += r.computing != 0;
      computed += r.computed;
      loaded += r.loaded;
      wrong += r.wrong;
      waits += r.waits;
      done += r.done;
      last_ms = std::max(last_ms, r.done_ms.load() - start_ms_);
      if (r.computing != 0) computed_ms = std::max(computed_ms, r.done_ms.load() - start_ms_);
    }
    const size_t living = pids_.size() - (with_death ? 1 : 0);
    absl::StatusOr<std::vector<ShardStats>> stats = Stats(address);
    if (!stats.ok()) return Violation(stats.status().ToString());
    const uint64_t stored = Value(*stats, "blocks_stored_total"), granted = Value(*stats, "claims_granted_total");
    const uint64_t again = Value(*stats, "blocks_already_present_total") + Value(*stats, "store_conflicts_total");
    const double ratio = last_ms / computed_ms;
    std::printf(
        "single_flight%s: %zu workers, %lu tokens in %lu blocks: done %lu, computed by %lu, blocks computed %lu, "
        "loaded "
        "%lu, waits %lu, wrong %lu, stored %lu (%.3f per block, %lu again), claims granted %lu (%.3f per block), "
        "computing done after %.0f ms, last done after %.0f ms, ratio %.3f (target %.2f)\n",
        with_death ? " with a death" : "", pids_.size(), plan_.blocks * kBlockTokens, plan_.blocks, done, computers,
        computed, loaded, waits, wrong, stored, PerBlock(stored), again, granted, PerBlock(granted), computed_ms,
        last_ms, ratio, kTargetRatio);
    // What a killed worker was storing may still land from its connection's buffers behind the new owner's back.
    const uint64_t may_land_twice = with_death ? plan_.step_blocks : 0;
    bool ok = done == living && wrong == 0 && stored == plan_.blocks && again <= may_land_twice;
    // After a death the new owner claims what had not landed.
    ok = ok && computers == (with_death ? 2u : 1u) && (with_death || granted == plan_.blocks);
    return ok || Violation("see the counts above");
  }

  double PerBlock(uint64_t count) const { return static_cast<double>(count) / static_cast<double>(plan_.blocks); }
  static uint64_t Value(const std::vector<ShardStats>& stats, const std::string& name) {
    uint64_t sum = 0;
    for (const ShardStats& shard : stats) {
      for (const auto& [key, value] : shard.values) sum += key == name ? value : 0;
    }
    return sum;
  }
  static absl::StatusOr<std::vector<ShardStats>> Stats(const std::string& address) {
    ClientOptions options;
    options.address = address;
    options.model = "flight";
    options.layout = FlightLayout();
    options.progress = Progress::kCaller;
    auto client = Client::Connect(std::move(options));
    if (!client.ok()) return client.status();
    return (*client)->Stats();
  }

  std::string binary_;
  FlightPlanOfRun plan_;
  ScratchDirectory scratch_;
  std::vector<pid_t> pids_;
  size_t bytes_ = 0;
  FlightReport* reports_ = nullptr;  // shared with the workers; outlives those that are killed
  double start_ms_ = 0;
};

}  // namespace
}  // namespace incipit::campaign

int main(int argc, char** argv) {
  using incipit::testing::FromEnvironment;
  if (argc != 2) {
    std::fprintf(stderr, "usage: %s BINARY\n", argv[0]);
    return 2;
  }
  const uint64_t workers = incipit::testing::CampaignCount(8);
  incipit::campaign::FlightPlanOfRun plan;
  plan.blocks = FromEnvironment("INCIPIT_FLIGHT_TOKENS", 65'536) / incipit::campaign::kBlockTokens;
  plan.step_blocks = std::max<uint64_t>(plan.blocks / 256, 1);
  plan.compute_ms = static_cast<double>(FromEnvironment("INCIPIT_FLIGHT_MS", 3000));
  bool ok = true;
  for (const bool with_death : {false, true}) {
    plan.prompt = with_death ? 2 : 1;
    ok = incipit::campaign::SingleFlight(argv[1], workers, plan).Run(with_death) && ok;
  }
  std::printf("single_flight: %s\n", ok ? "ok" : "FAILED");
  return ok ? 0 : 1;
}
