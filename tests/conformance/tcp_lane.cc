#include "tests/conformance/lanes.h"
#include "transport/lane_connector.h"
#include "transport/tcp/tcp_endpoint.h"

namespace incipit::conformance {
namespace {

class TcpLane : public Lane {
 public:
  Loop* loop() override { return loop_.get(); }
  absl::StatusOr<std::unique_ptr<Listener>> Listen() override {
    absl::StatusOr<TcpAddress> address = ResolveTcpAddress(address_);
    if (!address.ok()) return address.status();
    absl::StatusOr<std::unique_ptr<TcpListener>> listener = TcpListener::Create(loop_.get(), *address);
    if (!listener.ok()) return listener.status();
    address_ = "tcp://" + (*listener)->address().ToString();  // the port taken; a node started again takes it too
    return *std::move(listener);
  }
  std::unique_ptr<Connector> MakeConnector() override { return std::make_unique<LaneConnector>(loop_.get()); }
  std::string address() const override { return address_; }
  bool Step() override {
    loop_->RunOnce();
    return true;
  }

 private:
  std::unique_ptr<UringLoop> loop_ = *UringLoop::Create({});
  std::string address_ = "tcp://127.0.0.1:0";
};

}  // namespace

std::unique_ptr<Lane> MakeTcpLane() { return std::make_unique<TcpLane>(); }

}  // namespace incipit::conformance
