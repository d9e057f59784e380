// What CodecScratch holds. Internal to cache/codec/.
#pragma once

#include "cache/codec/coded_segment.h"
#include "cache/codec/plane_model.h"

namespace incipit {

struct CodecScratch::Parts {
  const codec_internal::Kernel* kernel = &codec_internal::BestKernel();
  codec_internal::TileBuffers buffers;
  codec_internal::PlaneModel model, second_model;
};

}  // namespace incipit
