#include "client/cli/bench_progress.h"

#include <memory>
#include <optional>

#include "client/cli/progress_bar.h"

namespace incipit {

bench::ProgressSink MakeProgressSink(bool enabled) {
  struct Shown {
    std::string activity;
    std::optional<ProgressBar> bar;
  };
  if (!enabled) return {};
  auto shown = std::make_shared<Shown>();
  return [shown](const std::string& activity, uint64_t done, uint64_t total) {
    if (!shown->bar.has_value() || shown->activity != activity) {
      shown->activity = activity;
      shown->bar.reset();
      shown->bar.emplace(ProgressBarOptions{.label = activity, .total = total});
    }
    shown->bar->Set(done);
  };
}

}  // namespace incipit
