#include "client/src/codec/hkdf.h"

#include <gtest/gtest.h>

#include <array>
#include <vector>

#include "tests/support/golden_file.h"

namespace incipit {
namespace {

// RFC 5869, test case 3: no salt, no info.
TEST(Hkdf, GivesThePublishedBytes) {
  const std::vector<uint8_t> secret(22, 0x0b);
  std::array<uint8_t, 32> out;
  HkdfSha256(secret, "", {}, out);
  EXPECT_EQ(golden::Hex(out), "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d");
}

TEST(Hkdf, SecretLabelAndContextEachMatter) {
  const std::vector<uint8_t> secret(32, 1), other(32, 2), context = {1, 2, 3};
  const auto derived = [](ByteView from, std::string_view label, ByteView about) {
    std::array<uint8_t, 32> out;
    HkdfSha256(from, label, about, out);
    return out;
  };
  const auto first = derived(secret, "label", context);
  EXPECT_EQ(first, derived(secret, "label", context));
  EXPECT_NE(first, derived(other, "label", context));
  EXPECT_NE(first, derived(secret, "labels", context));
  EXPECT_NE(first, derived(secret, "label", ByteView(context).first(2)));
}

}  // namespace
}  // namespace incipit
