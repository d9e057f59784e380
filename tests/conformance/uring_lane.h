// What the lanes of real sockets have in common: one loop for all.
#pragma once

#include "tests/conformance/lane.h"
#include "transport/lane_connector.h"

namespace incipit::conformance {

class UringLane : public Lane {
 public:
  Loop* loop() override { return loop_.get(); }
  std::unique_ptr<Connector> MakeConnector() override { return std::make_unique<LaneConnector>(loop_.get()); }
  bool Step() override {
    loop_->RunOnce();
    return true;
  }

 protected:
  UringLoop* uring() { return loop_.get(); }

 private:
  std::unique_ptr<UringLoop> loop_ = *UringLoop::Create({});
};

}  // namespace incipit::conformance
