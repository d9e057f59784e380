#include "transport/auth/secret_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace incipit {
namespace {

constexpr char kDigits[] = "00112233445566778899aabbccddeeff";

class SecretFileTest : public ::testing::Test {
 protected:
  SecretFileTest() {
    std::string pattern = ::testing::TempDir() + "/secrets.XXXXXX";
    directory_ = mkdtemp(pattern.data());
  }
  ~SecretFileTest() override { std::filesystem::remove_all(directory_); }
  std::string Write(const std::string& text, mode_t mode) {
    const std::string path = directory_ + "/secret";
    std::filesystem::remove(path);
    std::ofstream(path) << text;
    EXPECT_EQ(chmod(path.c_str(), mode), 0);
    return path;
  }
  std::string directory_;
};

TEST_F(SecretFileTest, OwnersFileIsRead) {
  for (const mode_t mode : {0600, 0400, 0640, 0440}) {
    const auto key = ReadSecretFile("secret_file", Write(std::string(kDigits) + "\n", mode));
    ASSERT_TRUE(key.ok()) << key.status();
    EXPECT_EQ(key->MacOf(AsBytes("m")), TenantKey(*DecodeSecret(kDigits)).MacOf(AsBytes("m")));
  }
}

TEST_F(SecretFileTest, FileOpenToOthersIsRefusedWithWhatToDo) {
  for (const mode_t mode : {0604, 0602, 0601, 0644, 0660, 0666}) {
    const auto key = ReadSecretFile("secret_file", Write(kDigits, mode));
    ASSERT_TRUE(absl::IsPermissionDenied(key.status())) << std::oct << mode << key.status();
    EXPECT_NE(key.status().message().find("chmod 600"), std::string::npos) << key.status();
  }
}

TEST_F(SecretFileTest, MissingForeignAndHugeFilesAreRefused) {
  EXPECT_TRUE(absl::IsNotFound(ReadSecretFile("secret_file", directory_ + "/none").status()));
  EXPECT_TRUE(absl::IsInvalidArgument(ReadSecretFile("secret_file", directory_).status()));
  const auto huge = ReadSecretFile("secret_file", Write(std::string(kMaxSecretFileBytes + 1, 'a'), 0600));
  EXPECT_TRUE(absl::IsInvalidArgument(huge.status())) << huge.status();
}

TEST_F(SecretFileTest, WhatIsNoSecretIsRefusedWithoutShowingIt) {
  const auto key = ReadSecretFile("secret_file", Write("hunter2hunter2hunter2hunter2hunt", 0600));
  ASSERT_TRUE(absl::IsInvalidArgument(key.status()));
  EXPECT_EQ(key.status().message().find("hunter2"), std::string::npos) << key.status();
  EXPECT_NE(key.status().message().find("/secret"), std::string::npos) << key.status();
}

TEST_F(SecretFileTest, NewSecretIsPrivateRandomAndNeverOverwritten) {
  const std::string first = directory_ + "/first", second = directory_ + "/second";
  const mode_t before = umask(0);
  ASSERT_TRUE(WriteNewSecretFile(first).ok());
  umask(before);
  ASSERT_TRUE(WriteNewSecretFile(second).ok());
  struct stat info {};
  ASSERT_EQ(stat(first.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0600u);
  const auto a = ReadSecret("secret_file", first), b = ReadSecret("secret_file", second);
  ASSERT_TRUE(a.ok() && b.ok());
  EXPECT_EQ(a->size(), 32u);
  EXPECT_NE(*a, *b);
  EXPECT_TRUE(absl::IsAlreadyExists(WriteNewSecretFile(first)));
  EXPECT_EQ(*ReadSecret("secret_file", first), *a);
}

}  // namespace
}  // namespace incipit
