#include "bench/speed/stream_ceiling.h"

#include <fmt/format.h>

#include <algorithm>

#include "bench/common/payload.h"
#include "bench/common/stopwatch.h"
#include "cache/base/status_macros.h"

namespace incipit::bench {
namespace {

using Waiting = StreamVariant::Waiting;
constexpr StreamVariant kVariants[] = {
    {Waiting::kBlock, 256 << 10}, {Waiting::kBlock, 1 << 20}, {Waiting::kBlock, 4 << 20},
    {Waiting::kSpin, 1 << 20},    {Waiting::kRing, 1 << 20},
};
constexpr int kTries = 2;
constexpr uint64_t kTryBytes = 256 * kMiB;

}  // namespace

absl::StatusOr<std::unique_ptr<StreamCeiling>> StreamCeiling::Create(StreamDirection direction, uint64_t data_bytes,
                                                                     MutableBytes buffer) {
  std::unique_ptr<StreamCeiling> ceiling(new StreamCeiling(direction));
  ceiling->data_bytes_ = AlignUp(data_bytes, 4096);
  ASSIGN_OR_RETURN(ceiling->peer_, StreamPeer::Start(ceiling->data_bytes_));
  const MutableBytes sample = buffer.first(std::min<uint64_t>(buffer.size(), kTryBytes));
  double best_s = 0;
  StreamVariant best;
  for (const StreamVariant& variant : kVariants) {
    double fastest_s = 0;
    ceiling->variant_ = variant;
    for (int i = 0; i < kTries; ++i) {
      RETURN_IF_ERROR(ceiling->Reconnect());
      ASSIGN_OR_RETURN(const double seconds, ceiling->Move(sample));
      fastest_s = i == 0 ? seconds : std::min(fastest_s, seconds);
    }
    if (best_s == 0 || fastest_s < best_s) {
      best_s = fastest_s;
      best = variant;
    }
  }
  ceiling->variant_ = best;
  return ceiling;
}

absl::StatusOr<double> StreamCeiling::Move(MutableBytes buffer) {
  const uint64_t start = position_;
  position_ = AlignUp(position_ + buffer.size(), 8) % data_bytes_;
  const Stopwatch watch;
  if (direction_ == StreamDirection::kSend) {
    RETURN_IF_ERROR(peer_->Send(variant_, start, buffer));
    return watch.Seconds();
  }
  RETURN_IF_ERROR(peer_->Receive(variant_, start, buffer));
  const double seconds = watch.Seconds();
  const uint64_t before_wrap = std::min<uint64_t>(buffer.size(), data_bytes_ - start);
  uint64_t wrong = CountWrongBytes(kStreamSeed, start, buffer.first(before_wrap));
  for (uint64_t at = before_wrap; at < buffer.size(); at += data_bytes_) {
    wrong += CountWrongBytes(kStreamSeed, 0, buffer.subspan(at, std::min<uint64_t>(data_bytes_, buffer.size() - at)));
  }
  if (wrong > 0) return absl::DataLossError(fmt::format("the plain stream brought {} wrong bytes", wrong));
  return seconds;
}

std::string StreamCeiling::Name() const {
  return fmt::format("plain TCP stream between two processes, {} ({})",
                     direction_ == StreamDirection::kReceive ? "cold source, same destination buffers"
                                                             : "same source buffers, cold destination",
                     variant_.Name());
}

}  // namespace incipit::bench
