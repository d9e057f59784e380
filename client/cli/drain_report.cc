#include "client/cli/drain_report.h"

#include <algorithm>

#include "client/cli/doctor/units.h"
#include "fmt/format.h"

namespace incipit {
namespace {

uint64_t Less(uint64_t a, uint64_t b) { return a > b ? a - b : 0; }

Json CountJson(const wire::DrainCount& count) { return {{"blocks", count.blocks}, {"bytes", count.bytes}}; }

std::string CountText(const char* what, const wire::DrainCount& count) {
  return fmt::format("  {:<52} {:>10} blocks  {:>10}\n", what, count.blocks, FormatBytes(count.bytes));
}

}  // namespace

wire::DrainCount DoneOf(const wire::DrainProgress& progress) {
  wire::DrainCount done;
  for (const wire::DrainCount* each : {&progress.moved, &progress.present, &progress.unwanted, &progress.lost}) {
    done.blocks += each->blocks;
    done.bytes += each->bytes;
  }
  return done;
}

std::string DrainLine(const wire::DrainReply& reply, double bytes_per_s) {
  const wire::DrainCount done = DoneOf(reply.progress);
  const uint64_t left_bytes = Less(reply.progress.total.bytes, done.bytes);
  const double elapsed_s = reply.elapsed_ms / 1000.0;
  // By all that is done with, given or not: what is there already costs next to nothing.
  const double done_per_s = elapsed_s > 0 ? static_cast<double>(done.bytes) / elapsed_s : 0;
  const std::string left =
      done_per_s > 0 ? fmt::format("about {:.0f} s left", static_cast<double>(left_bytes) / done_per_s) : "";
  return fmt::format("{}: {} of {} blocks, {} of {}; {} given, {}/s; {} blocks, {} to go; {:.0f} s {}",
                     wire::DrainStateName(reply.state), done.blocks, reply.progress.total.blocks,
                     FormatBytes(done.bytes), FormatBytes(reply.progress.total.bytes),
                     FormatBytes(reply.progress.moved.bytes), FormatBytes(static_cast<uint64_t>(bytes_per_s)),
                     Less(reply.progress.total.blocks, done.blocks), FormatBytes(left_bytes), elapsed_s, left);
}

std::string DrainSummary(const wire::DrainReply& reply) {
  const wire::DrainProgress& progress = reply.progress;
  const wire::DrainCount done = DoneOf(progress);
  std::string text =
      fmt::format("{} after {:.1f} s{}{}{}\n", wire::DrainStateName(reply.state), reply.elapsed_ms / 1000.0,
                  reply.timed_out ? ", before all was given" : "", reply.message.empty() ? "" : ": ", reply.message);
  text += CountText("had", progress.total);
  text += CountText("given to their next owners", progress.moved);
  text += CountText("were there already", progress.present);
  text += CountText("worth less than what is there", progress.unwanted);
  text += CountText("gone meanwhile, unreadable, or taken by nobody", progress.lost);
  text += CountText("not reached", {Less(progress.total.blocks, done.blocks), Less(progress.total.bytes, done.bytes)});
  return text;
}

Json DrainJson(const std::string& address, const wire::DrainReply& reply, double bytes_per_s) {
  const wire::DrainProgress& progress = reply.progress;
  const wire::DrainCount done = DoneOf(progress);
  return {{"address", address},
          {"state", wire::DrainStateName(reply.state)},
          {"timed_out", reply.timed_out},
          {"elapsed_s", reply.elapsed_ms / 1000.0},
          {"total", CountJson(progress.total)},
          {"moved", CountJson(progress.moved)},
          {"present", CountJson(progress.present)},
          {"unwanted", CountJson(progress.unwanted)},
          {"lost", CountJson(progress.lost)},
          {"remaining", CountJson({Less(progress.total.blocks, done.blocks), Less(progress.total.bytes, done.bytes)})},
          {"bytes_per_s", bytes_per_s},
          {"message", reply.message}};
}

}  // namespace incipit
