#include "cache/runtime/sim_loop.h"
#include "cache/seams/random.h"
#include "tests/conformance/lanes.h"
#include "transport/mem/mem_network.h"

namespace incipit::conformance {
namespace {

class MemLane : public Lane {
 public:
  Loop* loop() override { return &loop_; }
  absl::StatusOr<std::unique_ptr<Listener>> Listen() override { return network_.Listen(address()); }
  std::unique_ptr<Connector> MakeConnector() override { return network_.MakeConnector(); }
  std::string address() const override { return "mem://node"; }
  bool Step() override { return loop_.RunOnce(); }

 private:
  SimLoop loop_;
  std::unique_ptr<Random> random_ = MakeSeededRandom(1);
  MemNetwork network_{&loop_, random_.get()};
};

}  // namespace

std::unique_ptr<Lane> MakeMemLane() { return std::make_unique<MemLane>(); }

}  // namespace incipit::conformance
