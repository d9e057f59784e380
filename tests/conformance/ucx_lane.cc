#include "tests/conformance/lanes.h"
#include "tests/conformance/uring_lane.h"
#include "tests/support/ucx_here.h"
#include "transport/ucx/ucx_endpoint.h"

namespace incipit::conformance {
namespace {

class UcxLane : public UringLane {
 public:
  UcxLane() : settings_(testing::TestUcxSettings()), host_port_(testing::TestUcxHost() + ":0") {}
  absl::Status Missing() const override { return UcxApi::Load().status(); }
  absl::StatusOr<std::unique_ptr<Listener>> Listen() override {
    const absl::StatusOr<TcpAddress> address = ResolveTcpAddress(host_port_);
    if (!address.ok()) return address.status();
    if (worker_ == nullptr) {
      absl::StatusOr<std::unique_ptr<UcxWorker>> worker = UcxWorker::Create(uring(), {.settings = settings_});
      if (!worker.ok()) return worker.status();
      worker_ = *std::move(worker);
    }
    absl::StatusOr<std::unique_ptr<UcxListener>> listener = UcxListener::Create(worker_.get(), *address);
    if (!listener.ok()) return listener.status();
    host_port_ = (*listener)->address().ToString();  // the port taken; a node started again takes it too
    return *std::move(listener);
  }
  std::unique_ptr<Connector> MakePeerConnector() override {
    return std::make_unique<UcxConnector>(uring(), UcxConnectorOptions{.offer_memory = false, .settings = settings_});
  }
  std::string address() const override { return UcxAddress{host_port_, settings_}.ToString(); }

 private:
  UcxSettings settings_;
  std::string host_port_;
  std::unique_ptr<UcxWorker> worker_;  // of every node that listens here, one after the other
};

}  // namespace

std::unique_ptr<Lane> MakeUcxLane() { return std::make_unique<UcxLane>(); }

}  // namespace incipit::conformance
