// How a measurement is told: JSON for scripts, text for people.
#include <fmt/format.h>

#include "bench/speed/bench_options.h"

namespace incipit::bench {
namespace {

// Four significant figures are more than any of these measurements has.
double Figure(double value) { return std::stod(fmt::format("{:.4g}", value)); }

Json CpuPerGb(double seconds, uint64_t bytes) {
  if (bytes == 0) return nullptr;
  return Figure(seconds * 1e9 / static_cast<double>(bytes));
}

Json Spread(const Percentiles& samples) { return {Figure(samples.Min()), Figure(samples.Max())}; }

}  // namespace

void PairedSamples::AddRates(double value, double ceiling) {
  values.Add(value);
  ceilings.Add(ceiling);
  ratios.Add(ceiling > 0 ? value / ceiling : 0);
}

void PairedSamples::AddTimes(double value, double ceiling) {
  values.Add(value);
  ceilings.Add(ceiling);
  ratios.Add(value > 0 ? ceiling / value : 0);
}

Json BenchJson(const BenchReport& report) {
  const PairedSamples& samples = report.samples;
  const bool has_ceiling = !report.ceiling_name.empty();
  Json json = {{"ok", report.ok()},
               {"op", report.options.op},
               {"lane", report.options.lane},
               {"layout", report.options.layout},
               {"tier", report.options.tier},
               {"sealed", report.options.sealed},
               {"value", Figure(samples.values.Median())},
               {"unit", report.unit},
               {"ceiling", nullptr},
               {"ratio", nullptr},
               {"latency_us", PercentilesJson(report.latency_us)},
               {"cpu_s_per_gb",
                {{"client", CpuPerGb(report.client_cpu_s, report.cpu_bytes)},
                 {"server", CpuPerGb(report.server_cpu_s, report.server_cpu_s > 0 ? report.cpu_bytes : 0)}}},
               {"wrong_bytes", report.wrong_bytes},
               {"failures", report.failures},
               {"pairs", samples.values.size()},
               {"value_range", Spread(samples.values)},
               {"latency_of", report.latency_of}};
  if (has_ceiling) {
    json["ceiling"] = {
        {"name", report.ceiling_name}, {"value", Figure(samples.ceilings.Median())}, {"unit", report.unit}};
    json["ratio"] = Figure(samples.ratios.Median());
    json["ratio_range"] = Spread(samples.ratios);
    json["ceiling_range"] = Spread(samples.ceilings);
  }
  if (report.target_ratio.has_value()) {
    json["target"] = {{"ratio_at_least", *report.target_ratio},
                      {"met", samples.ratios.Median() >= *report.target_ratio}};
  } else if (report.target_value.has_value()) {
    json["target"] = {{"value_at_most", *report.target_value},
                      {"met", samples.values.Median() <= *report.target_value}};
  }
  json["details"] = report.details;
  json.update(report.contract);
  return json;
}

std::string BenchText(const BenchReport& report) {
  const PairedSamples& samples = report.samples;
  std::string text =
      fmt::format("{} {} {} {}: {:.4g} {} (median of {}, {:.4g} to {:.4g})\n", report.options.op, report.options.layout,
                  report.options.tier, report.options.lane, samples.values.Median(), report.unit, samples.values.size(),
                  samples.values.Min(), samples.values.Max());
  if (!report.ceiling_name.empty()) {
    text += fmt::format("ceiling   {:.4g} {}: {}\n", samples.ceilings.Median(), report.unit, report.ceiling_name);
    text += fmt::format("ratio     {:.3f} (pairs: {:.3f} to {:.3f})\n", samples.ratios.Median(), samples.ratios.Min(),
                        samples.ratios.Max());
  }
  if (report.target_ratio.has_value()) {
    text += fmt::format("target    ratio of at least {}: {}\n", *report.target_ratio,
                        samples.ratios.Median() >= *report.target_ratio ? "met" : "missed");
  } else if (report.target_value.has_value()) {
    text += fmt::format("target    at most {} {}: {}\n", *report.target_value, report.unit,
                        samples.values.Median() <= *report.target_value ? "met" : "missed");
  }
  if (report.latency_us.size() > 0) {
    text += fmt::format("latency   p50 {:.0f} us, p99 {:.0f} us, p99.9 {:.0f} us ({})\n", report.latency_us.At(0.5),
                        report.latency_us.At(0.99), report.latency_us.At(0.999), report.latency_of);
  }
  if (report.cpu_bytes > 0) {
    const double gb = static_cast<double>(report.cpu_bytes) / 1e9;
    text += fmt::format("CPU       client {:.3f} s/GB, server {:.3f} s/GB\n", report.client_cpu_s / gb,
                        report.server_cpu_s / gb);
  }
  text += fmt::format("wrong     {} bytes; {} failures\n", report.wrong_bytes, report.failures);
  for (const auto& [name, value] : report.details.items()) text += fmt::format("{:<9} {}\n", name, value.dump());
  for (const auto& [name, value] : report.contract.items()) text += fmt::format("{:<9} {}\n", name, value.dump());
  return text;
}

}  // namespace incipit::bench
