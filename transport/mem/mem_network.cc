#include "transport/mem/mem_network.h"

#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "cache/base/bytes.h"

namespace incipit {

// Bytes on their way in one direction.
struct MemNetwork::Pipe {
  Pipe(Loop* loop, size_t limit) : limit_bytes(limit), changed(loop) {}
  size_t limit_bytes;
  std::deque<uint8_t> bytes;
  bool closed = false;  // no more will be written
  Event changed;        // set whenever a waiter of either end should look again
};

// One connection: two pipes. Shared by its two streams.
struct MemNetwork::Wire {
  Wire(Loop* loop, size_t limit, std::string who, std::string to)
      : pipes{Pipe(loop, limit), Pipe(loop, limit)}, from(std::move(who)), address(std::move(to)) {}
  Pipe pipes[2];
  std::string from, address;
  bool broken = false;
  bool frozen = false;
  void NotifyAll() {
    for (Pipe& pipe : pipes) pipe.changed.Set();
  }
};

class MemNetwork::MemStream : public Stream {
 public:
  MemStream(MemNetwork* network, std::shared_ptr<Wire> wire, int side)
      : network_(network), wire_(std::move(wire)), side_(side) {}
  ~MemStream() override { Close(); }

  Task<absl::StatusOr<size_t>> Read(std::span<const iovec> into) override {
    Pipe& pipe = wire_->pipes[1 - side_];
    cancel_read_ = false;
    if (absl::Status status = co_await Disturb(); !status.ok()) co_return status;
    while (true) {
      if (closed_ || cancel_read_) co_return absl::CancelledError("mem read cancelled");
      if (wire_->broken) co_return absl::UnavailableError("mem connection broke");
      if (!wire_->frozen && !pipe.bytes.empty()) break;
      if (!wire_->frozen && pipe.closed) co_return size_t{0};
      pipe.changed.Clear();
      co_await pipe.changed.Wait();
    }
    const size_t moved = TakeInto(pipe, into, network_->Chance(network_->faults_.partial_per_mille));
    pipe.changed.Set();
    co_return moved;
  }

  Task<absl::StatusOr<size_t>> Write(std::span<const iovec> from) override {
    Pipe& pipe = wire_->pipes[side_];
    if (absl::Status status = co_await Disturb(); !status.ok()) co_return status;
    while (true) {
      if (closed_) co_return absl::CancelledError("mem write cancelled");
      if (wire_->broken || wire_->pipes[1 - side_].closed) co_return absl::UnavailableError("mem connection broke");
      if (!wire_->frozen && pipe.bytes.size() < pipe.limit_bytes) break;
      pipe.changed.Clear();
      co_await pipe.changed.Wait();
    }
    const size_t moved = PutFrom(pipe, from);
    pipe.changed.Set();
    co_return moved;
  }

  void CancelRead() override {
    cancel_read_ = true;
    wire_->pipes[1 - side_].changed.Set();
  }
  void Close() override {
    if (closed_) return;
    closed_ = true;
    wire_->pipes[side_].closed = true;
    wire_->NotifyAll();
  }
  std::string PeerName() const override { return absl::StrCat("mem://", wire_->address); }

 private:
  // Applies the faults that come before a transfer.
  Task<absl::Status> Disturb() {
    const MemNetworkFaults& faults = network_->faults_;
    if (network_->Chance(faults.delay_per_mille) && faults.max_delay_ns > 0) {
      ++network_->counters_.delays;
      const int64_t delay_ns = static_cast<int64_t>(network_->random_->Below(faults.max_delay_ns));
      co_await SleepUntil(network_->loop_, network_->loop_->NowNs() + delay_ns);
    }
    if (network_->Chance(faults.cut_per_mille)) {
      ++network_->counters_.cuts;
      wire_->broken = true;
      wire_->NotifyAll();
      co_return absl::UnavailableError("mem connection cut by fault");
    }
    co_return absl::OkStatus();
  }

  size_t TakeInto(Pipe& pipe, std::span<const iovec> into, bool partial) {
    size_t limit = pipe.bytes.size();
    if (partial && limit > 1) {
      ++network_->counters_.partials;
      limit = 1 + network_->random_->Below(limit - 1);
    }
    size_t moved = 0;
    for (const iovec& piece : into) {
      const size_t take = std::min(piece.iov_len, limit - moved);
      std::copy_n(pipe.bytes.begin(), take, static_cast<uint8_t*>(piece.iov_base));
      pipe.bytes.erase(pipe.bytes.begin(), pipe.bytes.begin() + static_cast<int64_t>(take));
      moved += take;
      if (moved == limit) break;
    }
    return moved;
  }

  size_t PutFrom(Pipe& pipe, std::span<const iovec> from) {
    const size_t start = pipe.bytes.size();
    const size_t room = pipe.limit_bytes - start;
    size_t moved = 0;
    for (const iovec& piece : from) {
      const size_t take = std::min(piece.iov_len, room - moved);
      const auto* bytes = static_cast<const uint8_t*>(piece.iov_base);
      pipe.bytes.insert(pipe.bytes.end(), bytes, bytes + take);
      moved += take;
      if (moved == room) break;
    }
    if (moved > 0 && network_->Chance(network_->faults_.flip_per_mille)) {
      ++network_->counters_.flips;
      pipe.bytes[start + network_->random_->Below(moved)] ^= static_cast<uint8_t>(1u << network_->random_->Below(8));
    }
    return moved;
  }

  MemNetwork* network_;
  std::shared_ptr<Wire> wire_;
  int side_;
  bool closed_ = false;
  bool cancel_read_ = false;
};

class MemNetwork::MemListener : public Listener {
 public:
  MemListener(MemNetwork* network, std::string address)
      : network_(network), address_(std::move(address)), changed_(network->loop_) {}
  ~MemListener() override { Close(); }

  Task<absl::StatusOr<std::unique_ptr<Stream>>> Accept() override {
    while (waiting_.empty() && !closed_) {
      changed_.Clear();
      co_await changed_.Wait();
    }
    if (waiting_.empty()) co_return absl::CancelledError("listener is closed");
    std::unique_ptr<Stream> stream = std::move(waiting_.front());
    waiting_.pop_front();
    co_return stream;
  }
  void Close() override {
    if (closed_) return;
    closed_ = true;
    network_->listeners_.erase(address_);
    changed_.Set();
  }
  void Offer(std::unique_ptr<Stream> stream) {
    waiting_.push_back(std::move(stream));
    changed_.Set();
  }

 private:
  MemNetwork* network_;
  std::string address_;
  bool closed_ = false;
  std::deque<std::unique_ptr<Stream>> waiting_;
  Event changed_;
};

class MemNetwork::MemConnector : public Connector {
 public:
  MemConnector(MemNetwork* network, std::string from) : network_(network), from_(std::move(from)) {}
  Task<absl::StatusOr<std::unique_ptr<Stream>>> Connect(std::string address, int64_t deadline_ns) override {
    while (network_->Apart(from_, address)) {
      network_->healed_.Clear();
      const bool healed = co_await network_->healed_.WaitUntil(deadline_ns);
      if (!healed) co_return absl::DeadlineExceededError(absl::StrCat("mem connect to ", address, ": no answer"));
    }
    const auto found = network_->listeners_.find(address);
    const bool refused = network_->Chance(network_->faults_.refuse_per_mille);
    if (refused) ++network_->counters_.refusals;
    if (refused || found == network_->listeners_.end()) {
      co_return absl::UnavailableError(absl::StrCat("mem connect to ", address, ": refused"));
    }
    auto [near, far] = network_->MakePairFor(from_, address);
    found->second->Offer(std::move(far));
    co_return std::move(near);
  }

 private:
  MemNetwork* network_;
  std::string from_;
};

absl::StatusOr<std::unique_ptr<Listener>> MemNetwork::Listen(std::string address) {
  if (listeners_.contains(address))
    return absl::AlreadyExistsError(absl::StrCat("mem listen on ", address, ": in use"));
  auto listener = std::make_unique<MemListener>(this, address);
  listeners_[address] = listener.get();
  return listener;
}

std::unique_ptr<Connector> MemNetwork::MakeConnector(std::string from) {
  return std::make_unique<MemConnector>(this, std::move(from));
}

std::pair<std::unique_ptr<Stream>, std::unique_ptr<Stream>> MemNetwork::MakePair() { return MakePairFor("", "pair"); }

std::pair<std::unique_ptr<Stream>, std::unique_ptr<Stream>> MemNetwork::MakePairFor(const std::string& from,
                                                                                    const std::string& address) {
  ++counters_.connections;
  auto wire = std::make_shared<Wire>(loop_, pipe_bytes_, from, address);
  wire->frozen = !Stands(from, address);
  std::erase_if(wires_, [](const std::weak_ptr<Wire>& old) { return old.expired(); });
  wires_.push_back(wire);
  return {std::make_unique<MemStream>(this, wire, 0), std::make_unique<MemStream>(this, wire, 1)};
}

void MemNetwork::Kill(const std::string& address) {
  for (const std::weak_ptr<Wire>& weak : wires_) {
    std::shared_ptr<Wire> wire = weak.lock();
    if (wire == nullptr || wire->address != address) continue;
    wire->broken = true;
    wire->NotifyAll();
  }
  const auto found = listeners_.find(address);
  if (found != listeners_.end()) found->second->Close();
}

void MemNetwork::Freeze(const std::string& address, bool frozen) {
  if (frozen) {
    frozen_.insert(address);
  } else {
    frozen_.erase(address);
  }
  Restand();
}

void MemNetwork::Partition(const std::string& one, const std::string& other, bool apart) {
  if (apart) {
    apart_.insert(std::minmax(one, other));
  } else {
    apart_.erase(std::minmax(one, other));
  }
  Restand();
}

bool MemNetwork::Apart(const std::string& one, const std::string& other) const {
  return !apart_.empty() && apart_.contains(std::minmax(one, other));
}

void MemNetwork::HealAll() {
  frozen_.clear();
  apart_.clear();
  Restand();
}

bool MemNetwork::Stands(const std::string& from, const std::string& address) const {
  return !frozen_.contains(address) && !frozen_.contains(from) && !Apart(from, address);
}

void MemNetwork::Restand() {
  for (const std::weak_ptr<Wire>& weak : wires_) {
    const std::shared_ptr<Wire> wire = weak.lock();
    if (wire == nullptr) continue;
    wire->frozen = !Stands(wire->from, wire->address);
    wire->NotifyAll();
  }
  healed_.Set();
}

}  // namespace incipit
