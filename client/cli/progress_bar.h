// Shows on a terminal how far long work has come. Silent where standard error is not a terminal.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>

namespace incipit {

struct ProgressBarOptions {
  std::string label;    // "storing"
  uint64_t total = 0;   // in `unit`s; 0 = not known
  std::string unit;     // "blocks"; "bytes" are shown as sizes
  bool enabled = true;  // false: never draws, e.g. with --json
};

// One thread. Draws at most ten times a second, so Add may be called for every block.
class ProgressBar {
 public:
  using Clock = std::chrono::steady_clock;

  // Draws on standard error if that is a terminal.
  explicit ProgressBar(ProgressBarOptions options);
  // Draws through `write`, always; for tests.
  ProgressBar(ProgressBarOptions options, std::function<void(const std::string&)> write);
  ~ProgressBar();  // as Finish
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  void Add(uint64_t amount) { Set(done_ + amount); }
  void Set(uint64_t done);
  // Takes the bar off the screen, so that what is printed next stands alone.
  void Finish();

  // One line without its end: "storing [######......] 50 %  512/1024 blocks  2.1 s".
  static std::string Render(const ProgressBarOptions& options, uint64_t done, double seconds);

 private:
  void Draw();

  ProgressBarOptions options_;
  std::function<void(const std::string&)> write_;
  uint64_t done_ = 0;
  bool drawn_ = false;
  Clock::time_point start_;
  Clock::time_point last_draw_;
};

}  // namespace incipit
