#include "transport/wire/codec_feature.h"

#include <gtest/gtest.h>

namespace incipit::wire {
namespace {

TEST(CodecFeature, OnlyWhatIsCodedAndSealedNeedsIt) {
  for (int codec = 0; codec <= static_cast<int>(kLastCodec); ++codec) {
    EXPECT_EQ(KnowsCodec(~kFeatureSealedCodecs, static_cast<Codec>(codec)), codec < 5) << codec;
    EXPECT_TRUE(KnowsCodec(kFeatureSealedCodecs, static_cast<Codec>(codec)));
  }
}

}  // namespace
}  // namespace incipit::wire
