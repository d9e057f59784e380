#include "client/cli/progress_bar.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "client/cli/doctor/units.h"
#include "fmt/format.h"

namespace incipit {
namespace {

constexpr int kBarColumns = 30;
constexpr std::chrono::milliseconds kDrawInterval{100};
constexpr char kEraseLine[] = "\r\033[K";

void WriteToStandardError(const std::string& text) {
  std::fputs(text.c_str(), stderr);
  std::fflush(stderr);
}

std::string Amount(const ProgressBarOptions& options, uint64_t value) {
  return options.unit == "bytes" ? FormatBytes(value) : fmt::format("{}", value);
}

}  // namespace

ProgressBar::ProgressBar(ProgressBarOptions options) : ProgressBar(std::move(options), WriteToStandardError) {
  if (isatty(STDERR_FILENO) == 0) options_.enabled = false;
}

ProgressBar::ProgressBar(ProgressBarOptions options, std::function<void(const std::string&)> write)
    : options_(std::move(options)), write_(std::move(write)), start_(Clock::now()), last_draw_(start_) {}

ProgressBar::~ProgressBar() { Finish(); }

void ProgressBar::Set(uint64_t done) {
  done_ = done;
  if (!options_.enabled) return;
  const Clock::time_point now = Clock::now();
  if (drawn_ && now - last_draw_ < kDrawInterval) return;
  last_draw_ = now;
  Draw();
}

void ProgressBar::Draw() {
  const double seconds = std::chrono::duration<double>(Clock::now() - start_).count();
  write_(kEraseLine + Render(options_, done_, seconds));
  drawn_ = true;
}

void ProgressBar::Finish() {
  if (drawn_) write_(kEraseLine);
  drawn_ = false;
}

std::string ProgressBar::Render(const ProgressBarOptions& options, uint64_t done, double seconds) {
  const std::string unit = options.unit == "bytes" ? "" : " " + options.unit;
  if (options.total == 0) return fmt::format("{}  {}{}  {:.1f} s", options.label, Amount(options, done), unit, seconds);
  const double share = std::min(1.0, static_cast<double>(done) / static_cast<double>(options.total));
  const int filled = static_cast<int>(share * kBarColumns);
  return fmt::format("{} [{}{}] {:3.0f} %  {}/{}{}  {:.1f} s", options.label, std::string(filled, '#'),
                     std::string(kBarColumns - filled, '.'), share * 100, Amount(options, done),
                     Amount(options, options.total), unit, seconds);
}

}  // namespace incipit
