#include "transport/shared/piece_copy.h"

#include <algorithm>
#include <cstring>

#include "cache/base/check.h"
#include "transport/shared/streaming_copy.h"

namespace incipit {
namespace {

constexpr uint64_t kFaultAroundBytes = 64 << 10;

// A first write to a mapped page faults that page in alone. A first read faults in whatever of its 64 KiB the other
// end has already touched, writable as the mapping is: a fifth of the cost where a client has just connected.
void FaultIn(const uint8_t* at, uint64_t bytes) {
  for (uint64_t done = 0; done < bytes;) {
    [[maybe_unused]] const volatile uint8_t touched = *const_cast<const volatile uint8_t*>(at + done);
    done += kFaultAroundBytes - reinterpret_cast<uintptr_t>(at + done) % kFaultAroundBytes;
  }
}

}  // namespace

void PieceCopy::Cursor::SkipEmpty() {
  while (!pieces.empty() && offset == pieces.front().iov_len) {
    pieces = pieces.subspan(1);
    offset = 0;
  }
}

void PieceCopy::Cursor::Advance(uint64_t bytes) {
  offset += bytes;
  SkipEmpty();
}

bool PieceCopy::Copy(uint64_t most_bytes) {
  from_.SkipEmpty();
  to_.SkipEmpty();
  while (most_bytes > 0) {
    const uint64_t step = std::min({most_bytes, from_.Here(), to_.Here()});
    if (step == 0) break;
    if (stores_ == Stores::kStreaming) {
      FaultIn(to_.At(), step);
      StreamingCopy(to_.At(), from_.At(), step);
    } else {
      std::memcpy(to_.At(), from_.At(), step);
    }
    from_.Advance(step);
    to_.Advance(step);
    most_bytes -= step;
  }
  return from_.Here() > 0 && to_.Here() > 0;
}

void PieceCopy::SkipFrom(uint64_t bytes) {
  from_.SkipEmpty();
  while (bytes > 0) {
    INCIPIT_CHECK(from_.Here() > 0, "skips more bytes than the pieces hold");
    const uint64_t step = std::min(bytes, from_.Here());
    from_.Advance(step);
    bytes -= step;
  }
}

}  // namespace incipit
