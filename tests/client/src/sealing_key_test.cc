#include "incipit/sealing_key.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

#include "tests/support/temp_path.h"

namespace incipit {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kDigits[] = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1F";

class SealingKeyFile : public ::testing::Test {
 protected:
  ~SealingKeyFile() override { unlink(path_.c_str()); }
  absl::StatusOr<std::shared_ptr<const SealingKey>> Read(const std::string& content, mode_t mode = 0600) {
    unlink(path_.c_str());
    std::ofstream(path_, std::ios::binary) << content;
    chmod(path_.c_str(), mode);
    return SealingKey::FromFile(path_);
  }
  std::string path_ = TempPath("key");
};

TEST_F(SealingKeyFile, DigitsAndBytesAreTheSameKey) {
  std::string bytes;
  for (char i = 0; i < 32; ++i) bytes += i;
  const auto from_bytes = Read(bytes);
  ASSERT_TRUE(from_bytes.ok()) << from_bytes.status();
  for (const std::string& text : {std::string(kDigits), kDigits + std::string("\n"), kDigits + std::string("\r\n")}) {
    const auto from_digits = Read(text, 0400);
    ASSERT_TRUE(from_digits.ok()) << from_digits.status();
    EXPECT_TRUE(std::ranges::equal((*from_digits)->bytes(), (*from_bytes)->bytes()));
  }
  EXPECT_EQ((*from_bytes)->Id().size(), 16u);
  EXPECT_THAT(kDigits, Not(HasSubstr((*from_bytes)->Id())));
}

TEST_F(SealingKeyFile, FilesThatHoldNoKeyAreRefusedWithoutShowingThem) {
  const std::string digits = kDigits;
  for (const std::string& content :
       {std::string(), digits.substr(1), digits + "0", digits + "\n\n", "zz" + digits.substr(2), std::string(31, 'k'),
        std::string(33, 'k'), std::string(32, 'k'), std::string(32, '\0'), std::string(5000, 'k')}) {
    const auto key = Read(content);
    EXPECT_EQ(key.status().code(), absl::StatusCode::kInvalidArgument) << content;
    EXPECT_THAT(std::string(key.status().message()), HasSubstr(path_));
    EXPECT_THAT(std::string(key.status().message()), Not(HasSubstr("1a1b1c")));
    EXPECT_THAT(std::string(key.status().message()), Not(HasSubstr("kkkk")));
  }
  EXPECT_EQ(SealingKey::FromFile("/tmp").status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(SealingKey::FromFile(path_ + ".absent").status().code(), absl::StatusCode::kNotFound);
}

TEST_F(SealingKeyFile, FilesThatOthersCanUseAreRefused) {
  for (const mode_t mode : {0640, 0604, 0620, 0602, 0610, 0601}) {
    const auto key = Read(kDigits, mode);
    EXPECT_EQ(key.status().code(), absl::StatusCode::kPermissionDenied) << mode;
    EXPECT_THAT(std::string(key.status().message()), HasSubstr("chmod 600"));
  }
}

TEST_F(SealingKeyFile, NewOnesAreRandomPrivateAndReplaceNothing) {
  ASSERT_TRUE(SealingKey::WriteNewFile(path_).ok());
  struct stat about {};
  ASSERT_EQ(stat(path_.c_str(), &about), 0);
  EXPECT_EQ(about.st_mode & 07777, 0600u);
  const auto first = SealingKey::FromFile(path_);
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(SealingKey::WriteNewFile(path_).code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ((*SealingKey::FromFile(path_))->Id(), (*first)->Id());
  unlink(path_.c_str());
  ASSERT_TRUE(SealingKey::WriteNewFile(path_).ok());
  EXPECT_NE((*SealingKey::FromFile(path_))->Id(), (*first)->Id());
  EXPECT_FALSE(SealingKey::WriteNewFile("/nowhere/key").ok());
}

}  // namespace
}  // namespace incipit
