#include "transport/auth/tenant_key.h"

#include <gtest/gtest.h>

#include "tests/support/golden_file.h"

namespace incipit {
namespace {

TEST(TenantKey, HmacIsTheStandardOne) {  // RFC 4231, test case 2
  EXPECT_EQ(golden::Hex(HmacSha256(AsBytes("Jefe"), AsBytes("what do ya want for nothing?"))),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

TEST(TenantKey, DifferentSecretsGiveDifferentMacs) {
  const TenantKey a(AsBytes("0123456789abcdef")), b(AsBytes("0123456789abcdeg"));
  EXPECT_FALSE(SameMac(a.MacOf(AsBytes("m")), b.MacOf(AsBytes("m"))));
  EXPECT_TRUE(SameMac(a.MacOf(AsBytes("m")), TenantKey(AsBytes("0123456789abcdef")).MacOf(AsBytes("m"))));
}

TEST(TenantKey, MacsThatDifferInAnyBitAreNotTheSame) {
  const Mac mac = HmacSha256(AsBytes("k"), AsBytes("m"));
  for (size_t bit = 0; bit < 8 * mac.size(); ++bit) {
    Mac other = mac;
    other[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
    EXPECT_FALSE(SameMac(mac, other)) << bit;
  }
  EXPECT_TRUE(SameMac(mac, mac));
}

TEST(TenantKey, WipedMemoryIsZero) {
  std::string secret = "0123456789abcdef";
  Wipe(secret.data(), secret.size());
  EXPECT_EQ(secret, std::string(16, '\0'));
}

TEST(TenantKey, SecretIsReadFromDigitsWithBlanksAround) {
  const auto secret = DecodeSecret(" \t00112233445566778899aAbBcCdDeEfF\r\n");
  ASSERT_TRUE(secret.ok()) << secret.status();
  EXPECT_EQ(golden::Hex(*secret), "00112233445566778899aabbccddeeff");
}

TEST(TenantKey, SecretsOfWrongLengthOrDigitsAreRefusedWithoutShowingThem) {
  for (const std::string& bad :
       {std::string(), std::string(30, 'a'), std::string(33, 'a'), std::string(130, 'a'), std::string(31, 'b') + "g",
        std::string(16, 'c') + " " + std::string(15, 'c'), std::string("0x") + std::string(30, '1')}) {
    const auto secret = DecodeSecret(bad);
    ASSERT_TRUE(absl::IsInvalidArgument(secret.status())) << bad;
    if (bad.empty()) continue;
    EXPECT_EQ(secret.status().message().find(bad), std::string::npos) << secret.status();
  }
}

}  // namespace
}  // namespace incipit
