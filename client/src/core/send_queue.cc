#include "client/src/core/send_queue.h"

#include <algorithm>
#include <utility>

namespace incipit {
namespace {

bool RemoveFrom(std::deque<OutgoingFrame>* queue, uint64_t request_id) {
  const auto found = std::find_if(queue->begin(), queue->end(), [request_id](const OutgoingFrame& frame) {
    return frame.header.request_id == request_id;
  });
  if (found == queue->end()) return false;
  queue->erase(found);
  return true;
}

}  // namespace

void SendQueue::Push(OutgoingFrame frame) {
  (frame.bulk ? bulk_ : urgent_).push_back(std::move(frame));
  pushed_.Set();
}

bool SendQueue::Remove(uint64_t request_id) {
  return RemoveFrom(&urgent_, request_id) || RemoveFrom(&bulk_, request_id);
}

Task<bool> SendQueue::WaitSent(uint64_t request_id, int64_t deadline_ns) {
  while (sending(request_id)) {
    sent_.Clear();
    const bool changed = co_await sent_.WaitUntil(deadline_ns);
    if (!changed) co_return !sending(request_id);
  }
  co_return true;
}

Task<absl::Status> SendQueue::Run(FrameChannel* channel) {
  absl::Status status;
  stopped_ = false;
  while (!stopped_ && status.ok()) {
    std::deque<OutgoingFrame>& queue = urgent_.empty() ? bulk_ : urgent_;
    if (queue.empty()) {
      pushed_.Clear();
      co_await pushed_.Wait();
      continue;
    }
    const OutgoingFrame frame = std::move(queue.front());
    queue.pop_front();
    sending_id_ = frame.header.request_id;
    status = co_await channel->Send(frame.header, *frame.meta, frame.payload, frame.fill, frame.descriptors);
    sending_id_ = 0;
    sent_.Set();
  }
  urgent_.clear();
  bulk_.clear();
  co_return status;
}

void SendQueue::Stop() {
  stopped_ = true;
  pushed_.Set();
}

}  // namespace incipit
