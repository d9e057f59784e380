#include "client/cli/plan_sizing_options.h"

#include <map>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "bench/plan/sizing/gpu.h"
#include "bench/plan/sizing/plan_codec.h"
#include "client/cli/byte_size.h"

namespace incipit {
namespace {

constexpr char kEngine[] = "Engine";
constexpr char kNode[] = "A node of the tier";
constexpr char kCodec[] = "Codec of the clients";
constexpr char kPrices[] = "Prices, in US dollars";
constexpr char kPromise[] = "What is promised";

void AddRate(CLI::App* command, const char* group, const char* name, double* value, const std::string& description) {
  command->add_option(name, *value, description)->type_name("N")->capture_default_str()->group(group);
}

void AddEngine(CLI::App* command, bench::SizingOptions* options) {
  command
      ->add_option("--gpu", options->gpu,
                   absl::StrCat("what computes prompts: ", absl::StrJoin(bench::GpuNames(), ", ")))
      ->type_name("NAME")
      ->check(CLI::IsMember(bench::GpuNames()).description(""))
      ->capture_default_str()
      ->group(kEngine);
  command->add_option("--gpus", options->gpus, "of them that compute one prompt together")
      ->type_name("N")
      ->check(CLI::Range(1u, 1024u).description(""))
      ->capture_default_str()
      ->group(kEngine);
  AddRate(command, kEngine, "--prefill-tokens-per-s", &options->prefill_tokens_per_s,
          "uncached, all of them together, short prompts; 0 = what the type of GPU gives");
  AddRate(command, kEngine, "--client-gbit", &options->client_gbit_per_s, "network of one engine, Gbit/s");
}

void AddNode(CLI::App* command, bench::SizingOptions* options) {
  AddByteSizeOption(command, "--node-ram", &options->node_ram_bytes, "for the RAM tier of one node, at most")
      ->group(kNode);
  AddByteSizeOption(command, "--node-nvme", &options->node_nvme_bytes, "drives of one node; 0 = none")->group(kNode);
  AddRate(command, kNode, "--ram-percent", &options->ram_percent,
          "of the tier's blocks are in RAM, the rest on NVMe; others are tried for the recommended size");
  AddRate(command, kNode, "--node-gbit", &options->node_gbit_per_s, "network, Gbit/s");
  AddRate(command, kNode, "--node-nvme-gbps", &options->node_nvme_gb_per_s, "reading from all its drives, GB/s");
  CLI::Option* dwpd =
      command->add_option("--nvme-endurance-dwpd", options->endurance_dwpd, "writes of the whole drive a day")
          ->type_name("N")
          ->capture_default_str()
          ->group(kNode);
  command
      ->add_option("--nvme-endurance-tbw", options->endurance_tbw,
                   "instead: TB that the drives of a node take in their life; 0 = by --nvme-endurance-dwpd")
      ->type_name("N")
      ->excludes(dwpd)
      ->capture_default_str()
      ->group(kNode);
  AddRate(command, kNode, "--nvme-life-years", &options->nvme_life_years, "for which endurance is stated");
}

void AddCodec(CLI::App* command, bench::SizingOptions* options) {
  command
      ->add_option_function<std::string>(
          "--codec",
          [options](const std::string& text) {
            absl::StatusOr<bench::PlanCodec> codec = bench::PlanCodecOf(text);
            if (!codec.ok()) throw CLI::ValidationError(std::string(codec.status().message()));
            options->codec = *std::move(codec);
          },
          absl::StrCat("how blocks are stored: ", absl::StrJoin(bench::PlanCodecNames(), ", "), "; or a ratio, as 1.3"))
      ->type_name("NAME|RATIO")
      ->default_str(options->codec.name)
      ->group(kCodec);
  command->add_option("--codec-threads", options->codec_threads, "of an engine that decode one load")
      ->type_name("N")
      ->check(CLI::Range(1u, 256u).description(""))
      ->capture_default_str()
      ->group(kCodec);
  AddRate(command, kCodec, "--core-price", &options->core_dollars_per_hour,
          "of a core that codes, an hour, US dollars");
}

void AddPrices(CLI::App* command, bench::SizingOptions* options) {
  AddRate(command, kPrices, "--gpu-price", &options->gpu_dollars_per_hour,
          "of one GPU, an hour; 0 = usual for its type");
  AddRate(command, kPrices, "--node-price", &options->node_dollars_per_hour,
          "of one node without memory and drives, an hour");
  AddRate(command, kPrices, "--ram-price", &options->ram_dollars_per_gb_month, "of a GB of RAM, a month");
  AddRate(command, kPrices, "--nvme-price", &options->nvme_dollars_per_tb_month, "of a TB of NVMe, a month");
}

}  // namespace

void AddPlanSizingOptions(CLI::App* command, bench::SizingOptions* options) {
  const std::map<std::string, bench::SizingScope> scopes = {
      {"auto", bench::SizingScope::kAuto}, {"none", bench::SizingScope::kNone}, {"all", bench::SizingScope::kAll}};
  command
      ->add_option("--sizing", options->scope,
                   absl::StrCat("bytes, nodes, seconds and costs of each row: all, none, or auto: all up to ",
                                bench::kMaxSizedReferences, " block references (default: auto)"))
      ->type_name("WHICH")
      ->transform(CLI::CheckedTransformer(scopes).description(""));
  AddEngine(command, options);
  AddNode(command, options);
  AddCodec(command, options);
  AddPrices(command, options);
  AddRate(command, kPromise, "--slo-ttft-ms", &options->slo_ttft_ms,
          "time to the first token; 0 = the tier's own bandwidth may add 5 % to what an endless one gives");
  AddRate(command, kPromise, "--slo-percentile", &options->slo_percentile, "of requests that keep it");
}

}  // namespace incipit
