#include <immintrin.h>

#include <algorithm>
#include <cstring>

#include "cache/codec/kernel.h"

namespace incipit::codec_internal {
namespace {

#include "cache/codec/kernel_avx2.inc"

}  // namespace

const Kernel kAvx512Kernel = {"avx512",      SplitBf16, ExponentsBf16, MergeBf16,     SplitE4m3,
                              ExponentsE4m3, MergeE4m3, Fence,         AddClamped,    CountPlaces,
                              CodePart,      CodeBf16,  FinishPlanes,  DecodeOnePart, DecodeBf16Part};

}  // namespace incipit::codec_internal
