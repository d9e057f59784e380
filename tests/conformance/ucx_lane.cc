#include "tests/conformance/lanes.h"
#include "tests/support/ucx_here.h"
#include "transport/lane_connector.h"
#include "transport/ucx/ucx_endpoint.h"

namespace incipit::conformance {
namespace {

class UcxLane : public Lane {
 public:
  UcxLane() : settings_(testing::TestUcxSettings()), host_port_(testing::TestUcxHost() + ":0") {}
  absl::Status Missing() const override { return UcxApi::Load().status(); }
  Loop* loop() override { return loop_.get(); }
  absl::StatusOr<std::unique_ptr<Listener>> Listen() override {
    const absl::StatusOr<TcpAddress> address = ResolveTcpAddress(host_port_);
    if (!address.ok()) return address.status();
    if (worker_ == nullptr) {
      absl::StatusOr<std::unique_ptr<UcxWorker>> worker = UcxWorker::Create(loop_.get(), {.settings = settings_});
      if (!worker.ok()) return worker.status();
      worker_ = *std::move(worker);
    }
    absl::StatusOr<std::unique_ptr<UcxListener>> listener = UcxListener::Create(worker_.get(), *address);
    if (!listener.ok()) return listener.status();
    host_port_ = (*listener)->address().ToString();  // the port taken; a node started again takes it too
    return *std::move(listener);
  }
  std::unique_ptr<Connector> MakeConnector() override { return std::make_unique<LaneConnector>(loop_.get()); }
  std::string address() const override { return UcxAddress{host_port_, settings_}.ToString(); }
  bool Step() override {
    loop_->RunOnce();
    return true;
  }

 private:
  UcxSettings settings_;
  std::string host_port_;
  std::unique_ptr<UringLoop> loop_ = *UringLoop::Create({});
  std::unique_ptr<UcxWorker> worker_;  // of every node that listens here, one after the other
};

}  // namespace

std::unique_ptr<Lane> MakeUcxLane() { return std::make_unique<UcxLane>(); }

}  // namespace incipit::conformance
