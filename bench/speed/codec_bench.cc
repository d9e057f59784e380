// op codec: ratio and speed of a lossless codec on one core, beside memcpy of the same bytes.
#include <fmt/format.h>
#include <time.h>

#include <cstring>
#include <fstream>

#include "bench/common/latents.h"
#include "bench/common/mapped_buffer.h"
#include "bench/speed/bench.h"
#include "bench/speed/codec_entropy.h"
#include "bench/speed/segment_coder.h"
#include "cache/base/status_macros.h"
#include "cache/codec/coded_segment.h"
#include "cache/codec/fp8_lossless.h"
#include "cache/codec/fp8_rows.h"

namespace incipit::bench {
namespace {

constexpr uint64_t kMaxDataBytes = 128 * kMiB;  // several times any cache; three such buffers are taken
constexpr uint32_t kDefaultTokens = 64;
constexpr uint32_t kLayers = 8;
constexpr double kSpreadSigma = 0.5;

// CPU time of this thread: on a shared machine, of one core's speed the part that it had.
double ThreadSeconds() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

struct CodecData {
  MappedBuffer raw;  // whole segments
  uint64_t segment_bytes = 0;
  uint32_t row_bytes = kLatentRowBytes;
  PlaneEntropy entropy;  // of the bf16 values

  size_t segments() const { return raw.bytes().size() / segment_bytes; }
  MutableBytes Segment(size_t index) const { return raw.bytes().subspan(index * segment_bytes, segment_bytes); }
};

absl::Status ReadData(const std::string& path, MutableBytes out, uint64_t* bytes) {
  std::ifstream file(path, std::ios::binary);
  if (!file)
    return absl::NotFoundError(fmt::format("--data {}: cannot be opened; expected spread, gaussian or a file", path));
  file.read(reinterpret_cast<char*>(out.data()), static_cast<std::streamsize>(out.size()));
  *bytes = static_cast<uint64_t>(file.gcount());
  return absl::OkStatus();
}

absl::StatusOr<CodecData> MakeData(const BenchOptions& options) {
  CodecData data;
  const uint32_t tokens = options.block_tokens > 0 ? options.block_tokens : kDefaultTokens;
  const bool made = options.data == "spread" || options.data == "gaussian";
  const bool rows_of_fp8 = options.codec.starts_with("fp8-lossless");
  if (rows_of_fp8 && !made) data.row_bytes = codec_internal::kFp8RowBytes;
  data.segment_bytes = uint64_t{tokens} * data.row_bytes;
  uint64_t bytes = std::min(options.data_bytes, kMaxDataBytes) / data.segment_bytes * data.segment_bytes;
  if (bytes == 0) return absl::InvalidArgumentError("--data-bytes is less than one segment");
  ASSIGN_OR_RETURN(data.raw, MappedBuffer::Create(bytes));
  uint32_t layers = 1;
  if (made) {
    layers = kLayers;
    const double sigma = options.data == "spread" ? kSpreadSigma : 0;
    FillLatents({.sigma = sigma, .layers = kLayers, .segment_bytes = data.segment_bytes}, data.raw.bytes());
  } else {
    RETURN_IF_ERROR(ReadData(options.data, data.raw.bytes(), &bytes));
    bytes = bytes / data.segment_bytes * data.segment_bytes;
    if (bytes == 0) return absl::InvalidArgumentError(fmt::format("--data {}: less than one segment", options.data));
  }
  if (data.row_bytes == kLatentRowBytes) {
    data.entropy = EntropyOf(data.raw.bytes().first(bytes), {data.segment_bytes, layers, kLatentValues});
  }
  MappedBuffer rows;
  const uint64_t kept = rows_of_fp8 && made ? bytes / kLatentRowBytes * codec_internal::kFp8RowBytes : bytes;
  ASSIGN_OR_RETURN(rows, MappedBuffer::Create(kept));
  if (rows_of_fp8 && made) {
    codec_internal::QuantizeRows(data.raw.bytes(), rows.bytes());
    data.row_bytes = codec_internal::kFp8RowBytes;
    data.segment_bytes = uint64_t{tokens} * data.row_bytes;
  } else {
    std::memcpy(rows.bytes().data(), data.raw.bytes().data(), kept);
  }
  data.raw = std::move(rows);
  return data;
}

class CodecBench {
 public:
  CodecBench(const CodecData* data, SegmentCoder* coder) : data_(data), coder_(coder) {}

  absl::Status Prepare() {
    slot_bytes_ = AlignUp(coder_->MaxStoredBytes(data_->segment_bytes), 64);
    ASSIGN_OR_RETURN(stored_, MappedBuffer::Create(slot_bytes_ * data_->segments()));
    ASSIGN_OR_RETURN(again_, MappedBuffer::Create(data_->raw.bytes().size()));
    lengths_.resize(data_->segments());
    return absl::OkStatus();
  }

  // Once each over all segments: every one comes from memory, and goes there.
  absl::Status Round() {
    const double start = ThreadSeconds();
    for (size_t i = 0; i < data_->segments(); ++i) {
      std::memcpy(Again(i).data(), data_->Segment(i).data(), data_->segment_bytes);
    }
    const double copied = ThreadSeconds();
    for (size_t i = 0; i < data_->segments(); ++i) lengths_[i] = coder_->Encode(data_->Segment(i), Slot(i));
    const double encoded = ThreadSeconds();
    bool decoded_all = true;
    for (size_t i = 0; i < data_->segments(); ++i) {
      decoded_all &= lengths_[i] > 0 && coder_->Decode(Slot(i).first(lengths_[i]), Again(i));
    }
    const double decoded = ThreadSeconds();
    if (!decoded_all) return absl::DataLossError("a segment did not decode");
    const double gb = static_cast<double>(data_->raw.bytes().size()) / 1e9;
    memcpy_.Add(gb / (copied - start));
    encode_.AddRates(gb / (encoded - copied), gb / (copied - start));
    decode_.AddRates(gb / (decoded - encoded), gb / (copied - start));
    return absl::OkStatus();
  }

  uint64_t WrongBytes() const {
    uint64_t wrong = 0;
    const MutableBytes raw = data_->raw.bytes(), again = again_.bytes();
    for (size_t i = 0; i < raw.size(); ++i) wrong += raw[i] != again[i] ? 1 : 0;
    return wrong;
  }
  double Ratio() const {
    uint64_t stored = 0;
    for (const size_t length : lengths_) stored += length;
    return static_cast<double>(data_->raw.bytes().size()) / static_cast<double>(std::max<uint64_t>(stored, 1));
  }
  const Percentiles& copies() const { return memcpy_; }
  const PairedSamples& encode() const { return encode_; }
  const PairedSamples& decode() const { return decode_; }

 private:
  MutableBytes Again(size_t index) const {
    return again_.bytes().subspan(index * data_->segment_bytes, data_->segment_bytes);
  }
  MutableBytes Slot(size_t index) const { return stored_.bytes().subspan(index * slot_bytes_, slot_bytes_); }

  const CodecData* data_;
  SegmentCoder* coder_;
  size_t slot_bytes_ = 0;
  MappedBuffer stored_, again_;
  std::vector<size_t> lengths_;
  Percentiles memcpy_;
  PairedSamples encode_, decode_;
};

Json Range(const Percentiles& samples) { return {Rounded(samples.Min(), 3), Rounded(samples.Max(), 3)}; }

}  // namespace

absl::StatusOr<BenchReport> RunCodecBench(const BenchOptions& given, const ProgressSink& progress) {
  BenchOptions options = given;
  if (options.codec.empty()) options.codec = "bf16-lossless";
  ASSIGN_OR_RETURN(const std::unique_ptr<SegmentCoder> coder, MakeSegmentCoder(options.codec, options.kernel));
  ASSIGN_OR_RETURN(const CodecData data, MakeData(options));
  CodecBench bench(&data, coder.get());
  RETURN_IF_ERROR(bench.Prepare());
  for (uint32_t pair = 0; pair < options.pairs; ++pair) {
    Show(progress, "measuring", pair, options.pairs);
    RETURN_IF_ERROR(bench.Round());
  }
  BenchReport report;
  report.options = options;
  report.unit = "GB/s";
  report.ceiling_name = "memcpy of the same raw bytes, cold";
  report.samples = bench.decode();
  report.wrong_bytes = options.codec == "fp8" ? 0 : bench.WrongBytes();  // which is lossy
  report.contract = {{"ratio", Rounded(bench.Ratio(), 4)},
                     {"encode_gb_per_s", Rounded(bench.encode().values.Median(), 3)},
                     {"decode_gb_per_s", Rounded(bench.decode().values.Median(), 3)},
                     {"memcpy_gb_per_s", Rounded(bench.copies().Median(), 3)},
                     {"entropy_bound_ratio", nullptr},
                     {"codec", options.codec},
                     {"data", options.data},
                     {"kernel", options.kernel.empty() ? CodecKernel() : options.kernel},
                     {"segment_bytes", data.segment_bytes},
                     {"encode_to_memcpy", Rounded(bench.encode().ratios.Median(), 3)},
                     {"encode_to_memcpy_range", Range(bench.encode().ratios)},
                     {"decode_to_memcpy", Rounded(bench.decode().ratios.Median(), 3)},
                     {"decode_to_memcpy_range", Range(bench.decode().ratios)}};
  if (data.row_bytes == kLatentRowBytes) {
    report.contract["entropy_bound_ratio"] = Rounded(data.entropy.BoundRatio(), 4);
    report.contract["entropy_bits"] = data.entropy.ToJson();
  }
  return report;
}

}  // namespace incipit::bench
