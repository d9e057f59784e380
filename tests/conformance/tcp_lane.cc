#include "tests/conformance/lanes.h"
#include "tests/conformance/uring_lane.h"
#include "transport/tcp/tcp_endpoint.h"

namespace incipit::conformance {
namespace {

class TcpLane : public UringLane {
 public:
  absl::StatusOr<std::unique_ptr<Listener>> Listen() override {
    absl::StatusOr<TcpAddress> address = ResolveTcpAddress(address_);
    if (!address.ok()) return address.status();
    absl::StatusOr<std::unique_ptr<TcpListener>> listener = TcpListener::Create(uring(), *address);
    if (!listener.ok()) return listener.status();
    address_ = "tcp://" + (*listener)->address().ToString();  // the port taken; a node started again takes it too
    return *std::move(listener);
  }
  std::string address() const override { return address_; }

 private:
  std::string address_ = "tcp://127.0.0.1:0";
};

}  // namespace

std::unique_ptr<Lane> MakeTcpLane() { return std::make_unique<TcpLane>(); }

}  // namespace incipit::conformance
