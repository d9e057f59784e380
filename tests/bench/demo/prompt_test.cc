#include "bench/demo/prompt.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "bench/common/temp_dir.h"

namespace incipit::bench {
namespace {

class PromptTest : public testing::Test {
 protected:
  void SetUp() override {
    absl::StatusOr<TempDir> made = TempDir::Create("");
    ASSERT_TRUE(made.ok()) << made.status();
    dir_.emplace(*std::move(made));
  }
  void Write(const std::string& name, const std::string& text) {
    const std::filesystem::path path = std::filesystem::path(dir_->path()) / name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << text;
  }
  const std::string& path() const { return dir_->path(); }

 private:
  std::optional<TempDir> dir_;
};

TEST_F(PromptTest, JoinsTextFilesInOrderAndLeavesTheRestOut) {
  Write("b.txt", "second");
  Write("a/deep.txt", "first");
  Write("binary", std::string("x\0y", 3));
  Write(".hidden/secret.txt", "no");
  Write("build/made.txt", "no");
  Write("empty", "");
  const absl::StatusOr<Prompt> prompt = ReadPrompt(path(), 1 << 20);
  ASSERT_TRUE(prompt.ok()) << prompt.status();
  EXPECT_EQ(prompt->text, "\n==> a/deep.txt <==\nfirst\n==> b.txt <==\nsecond");
  ASSERT_EQ(prompt->files.size(), 2u);
  EXPECT_EQ(prompt->text.substr(prompt->files[1].text_offset, prompt->files[1].text_bytes), "second");
}

TEST_F(PromptTest, FilesThatWouldMakeItTooLongAreLeftOut) {
  Write("a", std::string(100, 'a'));
  Write("b", std::string(10, 'b'));
  const absl::StatusOr<Prompt> prompt = ReadPrompt(path(), 50);
  ASSERT_TRUE(prompt.ok()) << prompt.status();
  ASSERT_EQ(prompt->files.size(), 1u);
  EXPECT_EQ(prompt->files[0].name, "b");
}

TEST_F(PromptTest, DirectoryWithoutTextIsNotFound) {
  EXPECT_EQ(ReadPrompt(path(), 1 << 20).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(ReadPrompt(path() + "/none", 1 << 20).status().code(), absl::StatusCode::kNotFound);
}

TEST_F(PromptTest, EditKeepsAllBeforeItAndChangesAllAfter) {
  Write("a", std::string(1000, 'a'));
  Write("b", std::string(1000, 'b'));
  Write("c", std::string(1000, 'c'));
  const absl::StatusOr<Prompt> prompt = ReadPrompt(path(), 1 << 20);
  ASSERT_TRUE(prompt.ok()) << prompt.status();
  const EditedPrompt edited = EditOneFile(*prompt);
  EXPECT_EQ(edited.file, "b");
  EXPECT_EQ(edited.text.substr(0, edited.edit_offset), prompt->text.substr(0, edited.edit_offset));
  EXPECT_GT(edited.text.size(), prompt->text.size());
  const std::vector<uint32_t> before = Tokenize(prompt->text), after = Tokenize(edited.text);
  EXPECT_EQ(CommonTokens(before, after), edited.edit_offset / kBytesPerDemoToken);
}

TEST(TokenizeTest, FourBytesAreOneLittleEndianToken) {
  EXPECT_EQ(Tokenize(std::string_view("\x01\x02\x03\x04\xff", 5)), (std::vector<uint32_t>{0x04030201, 0xff}));
  EXPECT_TRUE(Tokenize("").empty());
}

TEST(CommonTokensTest, StopsAtTheFirstDifferenceOrTheShorterEnd) {
  const std::vector<uint32_t> a = {1, 2, 3}, b = {1, 2, 4, 5}, c = {1, 2};
  EXPECT_EQ(CommonTokens(a, b), 2u);
  EXPECT_EQ(CommonTokens(a, c), 2u);
  EXPECT_EQ(CommonTokens(a, {}), 0u);
}

}  // namespace
}  // namespace incipit::bench
