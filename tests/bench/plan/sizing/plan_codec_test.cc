#include "bench/plan/sizing/plan_codec.h"

#include <gmock/gmock.h>

#include "client/src/codec/coding_options.h"

namespace incipit::bench {
namespace {

TEST(PlanCodecTest, KnowsTheClientsCodecsAndNoOthers) {
  for (const std::string& name : PlanCodecNames()) {
    EXPECT_TRUE(ParseCodec(name).ok()) << name;
    const absl::StatusOr<PlanCodec> codec = PlanCodecOf(name);
    ASSERT_TRUE(codec.ok()) << codec.status();
    EXPECT_EQ(codec->name, name);
    EXPECT_EQ(codec->codes(), name != "raw");
    EXPECT_GE(codec->ratio, 1);
  }
}

TEST(PlanCodecTest, ARatioTakesNoTime) {
  const absl::StatusOr<PlanCodec> codec = PlanCodecOf("1.25");
  ASSERT_TRUE(codec.ok()) << codec.status();
  EXPECT_EQ(codec->ratio, 1.25);
  EXPECT_EQ(codec->Cores(1e12, 1e12), 0);
  EXPECT_TRUE(codec->codes());
}

TEST(PlanCodecTest, AllElseIsRefusedWithWhatIsAllowed) {
  for (const char* text : {"", "gzip", "0.99", "-2", "nan", "inf", "101", "1.2x"}) {
    const absl::Status status = PlanCodecOf(text).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << text;
    EXPECT_THAT(std::string(status.message()), testing::HasSubstr("bf16-lossless-fast")) << text;
  }
}

TEST(PlanCodecTest, CoresFollowFromBothDirections) {
  const PlanCodec codec{.ratio = 2, .decode_bytes_per_s = 4e9, .encode_bytes_per_s = 2e9};
  EXPECT_DOUBLE_EQ(codec.Cores(8e9, 3e9), 2 + 1.5);
}

}  // namespace
}  // namespace incipit::bench
