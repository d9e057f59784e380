#include "transport/ucx/ucx_endpoint.h"

#include "cache/base/status_macros.h"
#include "transport/ucx/ucx_link.h"
#include "transport/ucx/ucx_stream.h"

namespace incipit {

absl::StatusOr<std::unique_ptr<UcxListener>> UcxListener::Create(UcxWorker* worker, const TcpAddress& address) {
  std::unique_ptr<UcxListener> listener(new UcxListener(worker));
  ASSIGN_OR_RETURN(listener->address_, worker->Listen(address, &listener->changed_));
  return listener;
}

Task<absl::StatusOr<std::unique_ptr<Stream>>> UcxListener::Accept() {
  while (!closed_) {
    if (std::shared_ptr<UcxLink> link = worker_->TakeAccepted()) {
      std::unique_ptr<Stream> stream = std::make_unique<UcxStream>(std::move(link));
      co_return stream;
    }
    changed_.Clear();
    co_await changed_.Wait();
  }
  co_return absl::CancelledError("listener is closed");
}

void UcxListener::Close() {
  if (std::exchange(closed_, true)) return;
  worker_->StopListening();
  changed_.Set();
}

absl::StatusOr<UcxWorker*> UcxConnector::WorkerFor(const UcxSettings& settings) {
  for (const auto& [known, worker] : workers_) {
    if (known == settings) return worker.get();
  }
  ASSIGN_OR_RETURN(std::unique_ptr<UcxWorker> worker,
                   UcxWorker::Create(loop_, {.settings = settings, .offer_memory = options_.offer_memory}));
  workers_.emplace_back(settings, std::move(worker));
  return workers_.back().second.get();
}

Task<absl::StatusOr<std::unique_ptr<Stream>>> UcxConnector::Connect(std::string address, int64_t deadline_ns) {
  const absl::StatusOr<UcxAddress> parsed = UcxAddress::Parse(address);
  if (!parsed.ok()) co_return parsed.status();
  const absl::StatusOr<TcpAddress> target = ResolveTcpAddress(parsed->host_port);
  if (!target.ok()) co_return target.status();
  const absl::StatusOr<UcxWorker*> worker = WorkerFor(options_.settings.value_or(parsed->settings));
  if (!worker.ok()) co_return worker.status();
  const absl::StatusOr<std::shared_ptr<UcxLink>> link = (*worker)->Connect(*target);
  if (!link.ok()) co_return link.status();
  if (deadline_ns != kForeverNs) (*link)->FailUnlessOpenedBy(deadline_ns);
  std::unique_ptr<Stream> stream = std::make_unique<UcxStream>(*link);
  co_await (*link)->opened()->Wait();
  if ((*link)->failed()) co_return (*link)->status();
  co_return stream;
}

}  // namespace incipit
