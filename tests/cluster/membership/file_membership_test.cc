#include "cluster/membership/file_membership.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "cluster/membership/cluster_map_json.h"
#include "tests/support/cluster_maps.h"
#include "tests/support/temp_path.h"

namespace incipit {
namespace {

using ::testing::HasSubstr;

std::string FileOf(const std::string& text) {
  const std::string path = TempPath("map.json");
  std::ofstream(path, std::ios::binary) << text;
  return path;
}

TEST(FileMembership, GivesTheMapOfTheFile) {
  const auto membership = FileMembership::Read(FileOf(EncodeClusterMap(testing::SampleClusterMap())));
  ASSERT_TRUE(membership.ok()) << membership.status();
  EXPECT_EQ(*(*membership)->Map(), testing::SampleClusterMap());
  EXPECT_EQ((*membership)->Current().shards.size(), 8u);
}

TEST(FileMembership, SaysWhichFileIsWrong) {
  EXPECT_EQ(FileMembership::Read("/nonexistent/map.json").status().code(), absl::StatusCode::kNotFound);
  EXPECT_FALSE(FileMembership::Read("/tmp").ok());
  const auto empty = FileMembership::Read(FileOf(""));
  EXPECT_THAT(empty.status().message(), HasSubstr("map.json: cluster map: not a JSON object"));
  const auto large = FileMembership::Read(FileOf(std::string(kMaxClusterMapBytes + 7, ' ')));
  EXPECT_THAT(large.status().message(), HasSubstr("at most"));
}

}  // namespace
}  // namespace incipit
