// Listening and connecting on the ucx lane.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "transport/stream.h"
#include "transport/ucx/ucx_worker.h"

namespace incipit {

// One thread: the loop's, except address(). The worker must outlive it and every stream it gave.
class UcxListener : public Listener {
 public:
  // Unavailable: in use or not allowed, with the address and the reason.
  static absl::StatusOr<std::unique_ptr<UcxListener>> Create(UcxWorker* worker, const TcpAddress& address);
  ~UcxListener() override { Close(); }
  Task<absl::StatusOr<std::unique_ptr<Stream>>> Accept() override;
  void Close() override;
  const TcpAddress& address() const { return address_; }  // with the port really taken

 private:
  explicit UcxListener(UcxWorker* worker) : worker_(worker), changed_(worker->loop()) {}
  UcxWorker* worker_;
  Event changed_;
  TcpAddress address_;
  bool closed_ = false;
};

struct UcxConnectorOptions {
  // As in UcxWorkerOptions: whether the servers may be told where the memory lies that large messages go to.
  bool offer_memory = true;
  // In place of those in an address, which its server wrote: it cannot know how devices are called here.
  std::optional<UcxSettings> settings;
};

// Addresses as in ucx_address.h. UCX is loaded at the first Connect, and again for other settings. One thread: the
// loop's. Must outlive its streams.
class UcxConnector : public Connector {
 public:
  explicit UcxConnector(UringLoop* loop, UcxConnectorOptions options = {})
      : loop_(loop), options_(std::move(options)) {}
  // Loads UCX now: that takes milliseconds, which no Connect then does. REQUIRES: settings are given. Unavailable as
  // UcxWorker::Create.
  absl::Status Prepare() { return WorkerFor(*options_.settings).status(); }
  Task<absl::StatusOr<std::unique_ptr<Stream>>> Connect(std::string address, int64_t deadline_ns) override;

 private:
  absl::StatusOr<UcxWorker*> WorkerFor(const UcxSettings& settings);
  UringLoop* loop_;
  const UcxConnectorOptions options_;
  std::vector<std::pair<UcxSettings, std::unique_ptr<UcxWorker>>> workers_;
};

}  // namespace incipit
