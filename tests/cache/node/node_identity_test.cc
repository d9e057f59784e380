#include "cache/node/node_identity.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace incipit {
namespace {

class NodeIdentityTest : public ::testing::Test {
 protected:
  NodeIdentityTest() : random_(MakeSystemRandom()) {
    std::string pattern = ::testing::TempDir() + "/identity.XXXXXX";
    directory_ = mkdtemp(pattern.data());
  }
  ~NodeIdentityTest() override { std::filesystem::remove_all(directory_); }
  std::unique_ptr<Random> random_;
  std::string directory_;
};

TEST_F(NodeIdentityTest, SameAfterARestart) {
  const auto first = NodeIdentity::LoadOrCreate(directory_, 4, random_.get());
  const auto second = NodeIdentity::LoadOrCreate(directory_, 4, random_.get());
  ASSERT_TRUE(first.ok() && second.ok()) << first.status() << second.status();
  EXPECT_EQ(first->node_id, second->node_id);
  EXPECT_EQ(first->placement_seed, second->placement_seed);
}

TEST_F(NodeIdentityTest, EachStartHasAHigherIncarnation) {
  const auto at = [&](uint64_t now_ms) {
    return NodeIdentity::LoadOrCreate(directory_, 4, random_.get(), now_ms)->incarnation;
  };
  EXPECT_EQ(at(0), 1u);
  EXPECT_EQ(at(0), 2u);
  EXPECT_EQ(at(1'000'000), 1'000'000u);
  EXPECT_EQ(at(5), 1'000'001u) << "a clock that went back";
}

TEST_F(NodeIdentityTest, AFileWithoutAnIncarnationIsTaken) {
  std::ofstream(directory_ + "/node.json") << R"({"version": 1, "node_id": "00000000000000a1", "shards": 4,
      "placement_seed": "00000000000000000000000000000000"})";
  const auto identity = NodeIdentity::LoadOrCreate(directory_, 4, random_.get(), 7);
  ASSERT_TRUE(identity.ok()) << identity.status();
  EXPECT_EQ(identity->node_id, 0xa1u);
  EXPECT_EQ(identity->incarnation, 7u);
}

TEST_F(NodeIdentityTest, ADamagedIncarnationIsRefused) {
  std::ofstream(directory_ + "/node.json") << R"({"version": 1, "node_id": "00000000000000a1", "shards": 4,
      "placement_seed": "00000000000000000000000000000000", "incarnation": "7"})";
  EXPECT_TRUE(absl::IsDataLoss(NodeIdentity::LoadOrCreate(directory_, 4, random_.get()).status()));
}

TEST_F(NodeIdentityTest, OtherNumberOfShardsIsRefused) {
  ASSERT_TRUE(NodeIdentity::LoadOrCreate(directory_, 4, random_.get()).ok());
  const auto other = NodeIdentity::LoadOrCreate(directory_, 2, random_.get());
  EXPECT_TRUE(absl::IsFailedPrecondition(other.status())) << other.status();
}

TEST_F(NodeIdentityTest, DamagedFileIsRefusedNotReplaced) {
  ASSERT_TRUE(NodeIdentity::LoadOrCreate(directory_, 4, random_.get()).ok());
  std::ofstream(directory_ + "/node.json") << "{\"version\": 1, \"node_id\": \"12\"}";
  EXPECT_TRUE(absl::IsDataLoss(NodeIdentity::LoadOrCreate(directory_, 4, random_.get()).status()));
  std::ofstream(directory_ + "/node.json") << "garbage";
  EXPECT_TRUE(absl::IsDataLoss(NodeIdentity::LoadOrCreate(directory_, 4, random_.get()).status()));
}

TEST_F(NodeIdentityTest, FieldsOfTheWrongKindAreDamageNotACrash) {
  for (const char* text :
       {"", "[]", "{\"version\": \"one\"}", "{\"version\": 1, \"node_id\": 5, \"placement_seed\": {}}",
        "{\"version\": 1, \"shards\": 4, \"node_id\": \"123456789abcdefx\","
        " \"placement_seed\": \"00000000000000000000000000000000\"}"}) {
    std::ofstream(directory_ + "/node.json") << text;
    EXPECT_TRUE(absl::IsDataLoss(NodeIdentity::LoadOrCreate(directory_, 4, random_.get()).status())) << text;
  }
}

TEST_F(NodeIdentityTest, UnknownVersionIsRefused) {
  std::ofstream(directory_ + "/node.json") << "{\"version\": 2}";
  EXPECT_TRUE(absl::IsFailedPrecondition(NodeIdentity::LoadOrCreate(directory_, 4, random_.get()).status()));
}

TEST_F(NodeIdentityTest, WithoutADirectoryEachProcessIsNew) {
  const auto first = NodeIdentity::LoadOrCreate("", 4, random_.get());
  const auto second = NodeIdentity::LoadOrCreate("", 4, random_.get());
  EXPECT_NE(first->node_id, second->node_id);
}

}  // namespace
}  // namespace incipit
