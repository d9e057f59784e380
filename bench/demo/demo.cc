#include "bench/demo/demo.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "bench/common/private_node.h"
#include "bench/common/stopwatch.h"
#include "bench/common/wait_written.h"
#include "bench/demo/prompt.h"
#include "cache/base/status_macros.h"
#include "client/layouts/layouts.h"

namespace incipit::bench {
namespace {

constexpr uint64_t kSteps = 6;
constexpr uint64_t kMinTierBytes = 64 * kMiB;  // per shard
constexpr uint32_t kSettleTimeoutMs = 30'000;

absl::Status WriteFile(const std::string& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary);
  file << text;
  file.close();
  return file ? absl::OkStatus() : absl::UnavailableError(fmt::format("cannot write {}", path));
}

class Demo {
 public:
  Demo(const DemoOptions& options, const ProgressSink& progress, DemoReport* report)
      : options_(options), progress_(progress), report_(report) {}

  absl::Status Run() {
    ASSIGN_OR_RETURN(layout_, DemoLayout(options_.layout));
    RETURN_IF_ERROR(MakePrompts());
    Show(progress_, "starting a node", 0, kSteps);
    RETURN_IF_ERROR(StartNode());
    Show(progress_, "worker A stores", 1, kSteps);
    RETURN_IF_ERROR(Step("store", "A", "computes the prompt and stores its blocks", prompt_path_, 0));
    Show(progress_, "worker B loads", 2, kSteps);
    RETURN_IF_ERROR(
        Step("load", "B", "another process, same prompt: loads instead of computing", prompt_path_, whole_));
    Show(progress_, "worker C loads", 3, kSteps);
    RETURN_IF_ERROR(Step("load-edited", "C", fmt::format("{} was edited: loads what lies before", report_->edited_file),
                         edited_path_, unedited_));
    Show(progress_, "kill -9 and restart", 4, kSteps);
    RETURN_IF_ERROR(CrashAndRestart());
    Show(progress_, "worker D loads", 5, kSteps);
    return Step("load-after-crash", "D", "node killed with -9 and restarted: loads from NVMe", prompt_path_, whole_);
  }

 private:
  absl::Status MakePrompts() {
    const double tokens = static_cast<double>(options_.max_payload_bytes) / layout_.BytesPerToken();
    ASSIGN_OR_RETURN(const Prompt prompt,
                     ReadPrompt(options_.directory, static_cast<uint64_t>(tokens) * kBytesPerDemoToken));
    const EditedPrompt edited = EditOneFile(prompt);
    const std::vector<uint32_t> before = Tokenize(prompt.text), after = Tokenize(edited.text);
    const uint64_t step = layout_.RestoreStepTokens();
    whole_ = before.size() / step * step;
    unedited_ = CommonTokens(before, after) / step * step;
    if (unedited_ == 0) {
      return absl::InvalidArgumentError(
          fmt::format("{} holds {} tokens of text, too few to show anything; blocks are {} "
                      "tokens: name a larger directory with --dir",
                      options_.directory, before.size(), step));
    }
    report_->files = prompt.files.size();
    report_->prompt_bytes = prompt.text.size();
    report_->edited_file = edited.file;
    prompt_text_ = prompt.text;
    edited_text_ = edited.text;
    return absl::OkStatus();
  }

  // Both tiers take the whole prompt: NVMe so that nothing is lost by the kill, RAM so that B and C show its speed.
  absl::Status StartNode() {
    const auto payload = static_cast<uint64_t>(layout_.BytesPerToken() * static_cast<double>(whole_));
    const uint64_t tier =
        std::max(payload + payload / 4, kMinTierBytes * options_.shards) + 32 * kMiB * options_.shards;
    const uint64_t region = std::max(16 * kMiB, AlignUp(2 * layout_.groups[0].BlockBytes(), kMiB));
    ASSIGN_OR_RETURN(node_, PrivateNode::Start({.work_dir = options_.work_dir,
                                                .shards = options_.shards,
                                                .ram_bytes = tier,
                                                .nvme_bytes = tier + tier / 4 + 8 * region * options_.shards,
                                                .region_bytes = region}));
    prompt_path_ = node_->directory() + "/prompt.txt";
    edited_path_ = node_->directory() + "/prompt_edited.txt";
    RETURN_IF_ERROR(WriteFile(prompt_path_, prompt_text_));
    return WriteFile(edited_path_, edited_text_);
  }

  absl::Status Step(const std::string& name, const std::string& worker, const std::string& tells,
                    const std::string& prompt_path, uint64_t tokens_expected) {
    const bool store = name == "store";
    ASSIGN_OR_RETURN(
        ChildProcess child,
        ChildProcess::Start({.arguments = {kOwnProgram, "demo", "--worker", store ? "store" : "load", "--address",
                                           node_->address(), "--prompt", prompt_path, "--layout", options_.layout},
                             .capture_output = true}));
    ASSIGN_OR_RETURN(const std::string output, child.ReadOutput());
    const int status = child.Wait();
    if (status != 0) {
      return absl::UnavailableError(fmt::format("worker {} ended with status {}: {}", worker, status, output));
    }
    DemoStep step{.name = name, .worker = worker, .tells = tells, .tokens_expected = tokens_expected};
    ASSIGN_OR_RETURN(step.report, ParseDemoWorkerJson(output));
    step.ok = step.report.wrong_bytes == 0 && step.report.failed_blocks == 0 && step.report.blocks > 0 &&
              step.report.tokens_matched == tokens_expected;
    if (name == "load-after-crash") step.ok = step.ok && step.report.blocks_from_nvme == step.report.blocks;
    report_->steps.push_back(std::move(step));
    return absl::OkStatus();
  }

  // For questions to the node itself.
  absl::StatusOr<std::unique_ptr<Client>> Connect() const {
    ClientOptions options;
    options.address = node_->address();
    options.model = "stats";
    options.layout = layout_;
    options.client_name = "demo";
    options.progress = Progress::kCaller;
    return Client::Connect(std::move(options));
  }

  // Blocks reach NVMe behind their stores. The kill waits for that, because what it is to show is that written blocks
  // survive; one that came sooner would cost the blocks not yet written, as misses.
  absl::Status CrashAndRestart() {
    const Stopwatch settling;
    ASSIGN_OR_RETURN(std::unique_ptr<Client> client, Connect());
    RETURN_IF_ERROR(WaitUntilWritten(client.get(), kSettleTimeoutMs));
    report_->settle_seconds = settling.Seconds();
    node_->Crash();
    const Stopwatch starting;
    RETURN_IF_ERROR(node_->Restart());
    report_->restart_seconds = starting.Seconds();
    ASSIGN_OR_RETURN(client, Connect());
    return WaitUntilIndexed(client.get(), kSettleTimeoutMs);
  }

  const DemoOptions& options_;
  const ProgressSink& progress_;
  DemoReport* report_;
  Layout layout_;
  std::unique_ptr<PrivateNode> node_;
  std::string prompt_text_, edited_text_, prompt_path_, edited_path_;
  uint64_t whole_ = 0, unedited_ = 0;  // tokens that the original and the edited prompt must match
};

}  // namespace

absl::StatusOr<DemoReport> RunDemo(const DemoOptions& options, const ProgressSink& progress) {
  DemoReport report;
  report.options = options;
  Demo demo(options, progress, &report);
  RETURN_IF_ERROR(demo.Run());
  return report;
}

}  // namespace incipit::bench
