#include "transport/shared/streaming_copy.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace incipit {
namespace {

TEST(StreamingCopyTest, CopiesAnySizeToAnyAlignmentAndNothingBeside) {
  std::vector<uint8_t> source(200'000);
  for (size_t i = 0; i < source.size(); ++i) source[i] = static_cast<uint8_t>(i * 7 + i / 251);
  for (const size_t bytes : {0u, 1u, 63u, 64u, 100u, 4095u, 4096u, 4097u, 8191u, 65'536u, 131'071u}) {
    for (size_t to = 0; to < 70; to += 3) {
      const size_t from = (to * 5) % 67;
      std::vector<uint8_t> target(bytes + 200, 0xee);
      StreamingCopy(target.data() + to, source.data() + from, bytes);
      EXPECT_TRUE(std::equal(target.begin() + to, target.begin() + to + bytes, source.begin() + from));
      EXPECT_TRUE(std::all_of(target.begin(), target.begin() + to, [](uint8_t b) { return b == 0xee; }));
      EXPECT_TRUE(std::all_of(target.begin() + to + bytes, target.end(), [](uint8_t b) { return b == 0xee; }));
    }
  }
}

}  // namespace
}  // namespace incipit
