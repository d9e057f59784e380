// One connector for every address: the scheme in front says which lane. tcp:// may be left out.
#pragma once

#include <memory>
#include <string>

#include "cache/runtime/uring_loop.h"
#include "transport/stream.h"

namespace incipit {

// Stands on a UringLoop and is used on its thread. A new lane is one case in Connect.
class LaneConnector : public Connector {
 public:
  explicit LaneConnector(UringLoop* loop);
  // With this in place of its own connector of the ucx lane.
  LaneConnector(UringLoop* loop, std::unique_ptr<Connector> ucx);
  ~LaneConnector() override;
  // InvalidArgument for what can be no address, whatever listens where: an unknown scheme, no port, no path. Never
  // blocks: names are resolved when connecting.
  static absl::Status CheckAddress(const std::string& address);
  // InvalidArgument: a scheme that this build has no lane for. Otherwise as the lane's own connector.
  Task<absl::StatusOr<std::unique_ptr<Stream>>> Connect(std::string address, int64_t deadline_ns) override;

 private:
  std::unique_ptr<Connector> tcp_, unix_, ucx_;
};

}  // namespace incipit
