#define ZSTD_STATIC_LINKING_ONLY  // for the parameter that forces Huffman coding of literals
#include "bench/speed/segment_coder.h"

#include <fmt/format.h>
#include <lz4.h>
#include <zstd.h>

#include <cstring>

#include "bench/common/latents.h"
#include "cache/base/status_macros.h"
#include "cache/codec/coded_segment.h"

namespace incipit::bench {
namespace {

class OurCoder : public SegmentCoder {
 public:
  OurCoder(CodecOptions options, CodecScratch scratch) : options_(options), scratch_(std::move(scratch)) {}
  size_t MaxStoredBytes(size_t raw_bytes) const override { return MaxCodedBytes(raw_bytes); }
  size_t Encode(ByteView raw, MutableBytes stored) override { return EncodeSegment(options_, raw, stored, &scratch_); }
  bool Decode(ByteView stored, MutableBytes raw) override {
    return DecodeSegment(options_.coding, stored, raw, &scratch_).ok();
  }

 private:
  CodecOptions options_;
  CodecScratch scratch_;
};

class Lz4Coder : public SegmentCoder {
 public:
  size_t MaxStoredBytes(size_t raw_bytes) const override {
    return static_cast<size_t>(LZ4_compressBound(static_cast<int>(raw_bytes)));
  }
  size_t Encode(ByteView raw, MutableBytes stored) override {
    return static_cast<size_t>(LZ4_compress_default(reinterpret_cast<const char*>(raw.data()),
                                                    reinterpret_cast<char*>(stored.data()),
                                                    static_cast<int>(raw.size()), static_cast<int>(stored.size())));
  }
  bool Decode(ByteView stored, MutableBytes raw) override {
    return LZ4_decompress_safe(reinterpret_cast<const char*>(stored.data()), reinterpret_cast<char*>(raw.data()),
                               static_cast<int>(stored.size()),
                               static_cast<int>(raw.size())) == static_cast<int>(raw.size());
  }
};

class ZstdCoder : public SegmentCoder {
 public:
  explicit ZstdCoder(bool huffman_only) : encoder_(ZSTD_createCCtx()), decoder_(ZSTD_createDCtx()) {
    ZSTD_CCtx_setParameter(encoder_.get(), ZSTD_c_compressionLevel, huffman_only ? -100 : 1);
    if (huffman_only) ZSTD_CCtx_setParameter(encoder_.get(), ZSTD_c_literalCompressionMode, ZSTD_ps_enable);
  }
  size_t MaxStoredBytes(size_t raw_bytes) const override { return ZSTD_compressBound(raw_bytes); }
  size_t Encode(ByteView raw, MutableBytes stored) override {
    const size_t bytes = ZSTD_compress2(encoder_.get(), stored.data(), stored.size(), raw.data(), raw.size());
    return ZSTD_isError(bytes) != 0 ? 0 : bytes;
  }
  bool Decode(ByteView stored, MutableBytes raw) override {
    return ZSTD_decompressDCtx(decoder_.get(), raw.data(), raw.size(), stored.data(), stored.size()) == raw.size();
  }

 private:
  struct Free {
    void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
    void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
  };
  std::unique_ptr<ZSTD_CCtx, Free> encoder_;
  std::unique_ptr<ZSTD_DCtx, Free> decoder_;
};

// Exponents by zstd, the other bytes as they are, in front.
class ExponentCoder : public SegmentCoder {
 public:
  explicit ExponentCoder(bool huffman_only) : zstd_(huffman_only) {}
  size_t MaxStoredBytes(size_t raw_bytes) const override { return raw_bytes / 2 + zstd_.MaxStoredBytes(raw_bytes / 2); }
  size_t Encode(ByteView raw, MutableBytes stored) override {
    const size_t values = raw.size() / 2;
    exponents_.resize(values);
    for (size_t i = 0; i < values; ++i) {
      const unsigned value = raw[2 * i] | raw[2 * i + 1] << 8;
      exponents_[i] = static_cast<uint8_t>(value >> 7);
      stored[i] = static_cast<uint8_t>(value << 1 | value >> 15);
    }
    const size_t bytes = zstd_.Encode(exponents_, stored.subspan(values));
    return bytes == 0 ? 0 : values + bytes;
  }
  bool Decode(ByteView stored, MutableBytes raw) override {
    const size_t values = raw.size() / 2;
    exponents_.resize(values);
    if (!zstd_.Decode(stored.subspan(values), exponents_)) return false;
    for (size_t i = 0; i < values; ++i) {
      const unsigned value = (stored[i] & 1U) << 15 | static_cast<unsigned>(exponents_[i]) << 7 | stored[i] >> 1;
      raw[2 * i] = static_cast<uint8_t>(value);
      raw[2 * i + 1] = static_cast<uint8_t>(value >> 8);
    }
    return true;
  }

 private:
  ZstdCoder zstd_;
  std::vector<uint8_t> exponents_;
};

class CopyCoder : public SegmentCoder {
 public:
  size_t MaxStoredBytes(size_t raw_bytes) const override { return raw_bytes; }
  size_t Encode(ByteView raw, MutableBytes stored) override {
    std::memcpy(stored.data(), raw.data(), raw.size());
    return raw.size();
  }
  bool Decode(ByteView stored, MutableBytes raw) override {
    std::memcpy(raw.data(), stored.data(), raw.size());
    return true;
  }
};

}  // namespace

std::vector<std::string> SegmentCoderNames() {
  return {"raw",    "bf16-lossless", "bf16-lossless-fast", "fp8-lossless",     "fp8", "memcpy",
          "zstd-1", "lz4",           "zstd-1-exponents",   "huffman-exponents"};
}

absl::StatusOr<std::unique_ptr<SegmentCoder>> MakeSegmentCoder(const std::string& name, const std::string& kernel) {
  if (name == "memcpy") return std::make_unique<CopyCoder>();
  if (name == "lz4") return std::make_unique<Lz4Coder>();
  if (name == "zstd-1") return std::make_unique<ZstdCoder>(false);
  if (name == "zstd-1-exponents") return std::make_unique<ExponentCoder>(false);
  if (name == "huffman-exponents") return std::make_unique<ExponentCoder>(true);
  CodecOptions options{.row_values = kLatentValues};
  constexpr std::string_view kFastSuffix = "-fast";
  std::string coding = name;
  if (coding.ends_with(kFastSuffix)) {
    options.level = CodecLevel::kFast;
    coding.resize(coding.size() - kFastSuffix.size());
  }
  ASSIGN_OR_RETURN(options.coding, SegmentCodingOf(coding));
  CodecScratch scratch;
  if (!kernel.empty()) {
    ASSIGN_OR_RETURN(scratch, CodecScratch::WithKernel(kernel));
  }
  return std::make_unique<OurCoder>(options, std::move(scratch));
}

}  // namespace incipit::bench
