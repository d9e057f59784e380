#include "transport/unix/unix_address.h"

#include <gtest/gtest.h>

namespace incipit {
namespace {

TEST(UnixAddressTest, PathsAndAbstractNames) {
  const auto path = ParseUnixAddress("unix:///run/incipit.sock");
  ASSERT_TRUE(path.ok()) << path.status();
  EXPECT_FALSE(path->abstract());
  EXPECT_STREQ(path->storage.sun_path, "/run/incipit.sock");
  EXPECT_EQ(path->ToString(), "unix:///run/incipit.sock");
  const auto name = ParseUnixAddress("@node");
  ASSERT_TRUE(name.ok()) << name.status();
  EXPECT_TRUE(name->abstract());
  EXPECT_EQ(name->storage.sun_path[0], '\0');
  EXPECT_EQ(name->ToString(), "unix://@node");
  EXPECT_EQ(name->bytes, offsetof(sockaddr_un, sun_path) + 5);  // no zero behind it: that would be part of the name
}

TEST(UnixAddressTest, OthersAreRefusedWithTheForm) {
  for (const std::string& bad :
       {std::string("unix://"), std::string("unix://relative"), std::string("/"), std::string("@"),
        std::string("tcp://x:1"), "/" + std::string(107, 'x'), std::string("/a\0b", 4)}) {
    const absl::Status status = ParseUnixAddress(bad).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << bad;
  }
  EXPECT_TRUE(ParseUnixAddress("/" + std::string(106, 'x')).ok());
}

}  // namespace
}  // namespace incipit
