#include "bench/speed/load_pumps.h"

#include "cache/base/status_macros.h"

namespace incipit::bench {

LoadPumps::LoadPumps(const BenchRig* rig, const BlockSet* set, const PumpPlan& plan, MutableBytes buffer)
    : rig_(rig),
      set_(set),
      plan_(plan),
      buffer_(buffer),
      start_(static_cast<std::ptrdiff_t>(plan.threads) + 1),
      end_(static_cast<std::ptrdiff_t>(plan.threads) + 1),
      parts_(plan.threads) {
  for (size_t i = 0; i < parts_.size(); ++i) parts_[i].thread = std::thread([this, i] { Loop(i); });
}

absl::StatusOr<std::unique_ptr<LoadPumps>> LoadPumps::Create(const BenchRig* rig, const BlockSet* set,
                                                             const PumpPlan& plan, MutableBytes buffer) {
  std::unique_ptr<LoadPumps> pumps(new LoadPumps(rig, set, plan, buffer));
  pumps->end_.arrive_and_wait();
  for (const Part& part : pumps->parts_) RETURN_IF_ERROR(part.connected);
  return pumps;
}

LoadPumps::~LoadPumps() {
  stopping_ = true;
  start_.arrive_and_wait();
  for (Part& part : parts_) part.thread.join();
}

PumpResult LoadPumps::Run(size_t at_once, int64_t pause_ns, double seconds) {
  at_once_ = at_once / parts_.size();
  pause_ns_ = pause_ns;
  seconds_ = seconds;
  start_.arrive_and_wait();
  end_.arrive_and_wait();
  PumpResult all;
  for (const Part& part : parts_) all.Add(part.result);
  return all;
}

void LoadPumps::Loop(size_t index) {
  Part& part = parts_[index];
  std::vector<std::unique_ptr<Client>> clients(plan_.workers / plan_.threads);
  for (std::unique_ptr<Client>& client : clients) {
    absl::StatusOr<std::unique_ptr<Client>> connected = rig_->Connect(/*busy_retries=*/0);
    part.connected = connected.status();
    if (!connected.ok()) break;
    client = *std::move(connected);
  }
  const size_t part_bytes = buffer_.size() / plan_.threads;
  LoadPump pump(set_, plan_.blocks_per_load, buffer_.subspan(index * part_bytes, part_bytes));
  end_.arrive_and_wait();
  while (true) {
    start_.arrive_and_wait();
    if (stopping_) return;
    part.result = pump.Run(clients, at_once_, pause_ns_, seconds_);
    end_.arrive_and_wait();
  }
}

}  // namespace incipit::bench
