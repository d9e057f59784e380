#include "transport/ucx/guard/ucx_watched_socket.h"

#include <algorithm>

namespace incipit {

void UcxWatchedSocket::Begin(uint64_t new_cookie, UcxConnectionCheck::Options options) {
  cookie = new_cookie;
  options_ = options;
  refused_ = false;
  first_ = First::kNobody;
  beginning_bytes_ = 0;
  connection_.reset();
  greeting_.reset();
}

void UcxWatchedSocket::Decide() {
  uint64_t number = 0;
  std::memcpy(&number, beginning_.data(), sizeof(number));
  const bool accepted = first_ == First::kPeer;
  if (number == ucx_wire::kMagic) {
    options_.accepted = accepted;
    connection_ = std::make_unique<UcxConnectionCheck>(options_);
    return;
  }
  greeting_ = std::make_unique<UcxGreetingCheck>(accepted, options_.may_wireup);
  if (accepted) {
    refused_ = !greeting_->OnReceived(beginning_);
  } else {
    greeting_->OnSent(beginning_);
  }
}

bool UcxWatchedSocket::Check(ByteView bytes) {
  return connection_ != nullptr ? connection_->OnReceived(bytes) : greeting_->OnReceived(bytes);
}

bool UcxWatchedSocket::OnReceived(ByteView bytes) {
  if (refused_) return false;
  if (first_ == First::kNobody) first_ = First::kPeer;
  if (beginning_bytes_ < beginning_.size()) {
    // Ours must be whole before the peer answers.
    if (first_ == First::kWe) return !(refused_ = true);
    const size_t take = std::min(bytes.size(), beginning_.size() - beginning_bytes_);
    std::memcpy(beginning_.data() + beginning_bytes_, bytes.data(), take);
    beginning_bytes_ += take;
    bytes = bytes.subspan(take);
    if (beginning_bytes_ < beginning_.size()) return true;
    Decide();
  }
  if (!refused_) refused_ = !Check(bytes);
  return !refused_;
}

void UcxWatchedSocket::OnSent(ByteView bytes) {
  if (refused_) return;
  if (first_ == First::kNobody) first_ = First::kWe;
  if (first_ == First::kWe && beginning_bytes_ < beginning_.size()) {
    const size_t take = std::min(bytes.size(), beginning_.size() - beginning_bytes_);
    std::memcpy(beginning_.data() + beginning_bytes_, bytes.data(), take);
    beginning_bytes_ += take;
    bytes = bytes.subspan(take);
    if (beginning_bytes_ < beginning_.size()) return;
    Decide();
  }
  if (connection_ != nullptr) connection_->OnSent(bytes);
  if (greeting_ != nullptr) greeting_->OnSent(bytes);
}

}  // namespace incipit
