#include "bench/speed/copy_ceiling.h"

#include <cstring>

#include "bench/common/payload.h"
#include "bench/common/stopwatch.h"
#include "cache/base/status_macros.h"
#include "cache/base/xxh3.h"

namespace incipit::bench {
namespace {

constexpr uint64_t kSeed = 0x636f7079;

}  // namespace

absl::StatusOr<std::unique_ptr<CopyCeiling>> CopyCeiling::Create(uint64_t data_bytes) {
  auto ceiling = std::make_unique<CopyCeiling>();
  ASSIGN_OR_RETURN(ceiling->source_, MappedBuffer::Create(AlignUp(data_bytes, 4096)));
  FillPayload(kSeed, 0, ceiling->source_.bytes());
  return ceiling;
}

absl::StatusOr<double> CopyCeiling::Move(std::span<const PlannedBlock> blocks, MutableBytes buffer) {
  const MutableBytes source = source_.bytes();
  std::vector<uint64_t> starts;
  uint64_t at = 0, sums = 0;
  const Stopwatch watch;
  for (const PlannedBlock& block : blocks) {
    if (position_ + block.bytes > source.size()) position_ = 0;
    std::memcpy(buffer.data() + at, source.data() + position_, block.bytes);
    sums += Xxh3Of(buffer.subspan(at, block.bytes));
    starts.push_back(position_);
    position_ = AlignUp(position_ + block.bytes, 8);
    at += block.bytes;
  }
  const double seconds = watch.Seconds();
  uint64_t wrong = 0, expected = 0;
  at = 0;
  for (size_t i = 0; i < blocks.size(); ++i) {
    wrong += CountWrongBytes(kSeed, starts[i], buffer.subspan(at, blocks[i].bytes));
    expected += Xxh3Of(source.subspan(starts[i], blocks[i].bytes));
    at += blocks[i].bytes;
  }
  if (wrong > 0 || sums != expected) return absl::DataLossError("the plain copy is wrong");
  return seconds;
}

}  // namespace incipit::bench
