// op seal: what sealing and opening the segments of a layout cost beyond AES-256-GCM itself, on one core.
#include <fmt/format.h>
#include <openssl/evp.h>
#include <time.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <vector>

#include "bench/common/mapped_buffer.h"
#include "bench/common/payload.h"
#include "bench/speed/bench.h"
#include "cache/base/status_macros.h"
#include "client/layouts/layouts.h"
#include "client/src/codec/sealed_codec.h"

namespace incipit::bench {
namespace {

constexpr double kTargetRatio = 0.8;
constexpr uint64_t kStretchBytes = 1 * kMiB;  // sealed, then opened, while it is in the processor's cache
constexpr size_t kTagBytes = 16;

// Of this thread, since it was made: what is measured per core must not depend on who else wants the core.
class CpuTime {
 public:
  CpuTime() : started_s_(Now()) {}
  double Seconds() const { return Now() - started_s_; }

 private:
  static double Now() {
    timespec time{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
  }
  double started_s_;
};

// A group's blocks, one after the other in memory that no cache holds, through one buffer for their stored form, as in
// a store and a load: sealed with their checksums, or verified and opened.
class SealBench {
 public:
  static absl::StatusOr<std::unique_ptr<SealBench>> Create(const GroupSpec& group, uint64_t data_bytes) {
    std::unique_ptr<SealBench> bench(new SealBench(group, data_bytes));
    RETURN_IF_ERROR(bench->Prepare(data_bytes));
    return bench;
  }
  ~SealBench() {
    EVP_CIPHER_CTX_free(encrypt_);
    EVP_CIPHER_CTX_free(decrypt_);
  }

  // One pass of the thing and one of its ceiling, stretch by stretch in turn. Gives GB/s of both.
  struct Rates {
    double seal = 0, bare_seal = 0, open = 0, bare_open = 0;
  };
  Rates Measure(bool ours_first, uint64_t* wrong_bytes) {
    double seconds[4] = {};
    for (uint64_t stretch = 0; stretch < stretches_; ++stretch) {
      for (const bool ours : {ours_first != (stretch % 2 == 1), ours_first == (stretch % 2 == 1)}) {
        const CpuTime sealing;
        ours ? Seal(stretch) : BareSeal(stretch);
        seconds[ours ? 0 : 1] += sealing.Seconds();
        const CpuTime opening;
        *wrong_bytes += (ours ? Open(stretch) : BareOpen(stretch)) ? 0 : stretch_segments_ * segment_bytes_;
        seconds[ours ? 2 : 3] += opening.Seconds();
        *wrong_bytes += std::equal(opened_.begin(), opened_.end(), RawOf(stretch, 0).data()) ? 0 : opened_.size();
      }
    }
    const double gigabytes = static_cast<double>(bytes()) / 1e9;
    return {gigabytes / seconds[0], gigabytes / seconds[1], gigabytes / seconds[2], gigabytes / seconds[3]};
  }
  // GB/s of one message of 16 KiB encrypted again and again, which is what `openssl speed -evp aes-256-gcm` does.
  double MeasureSpeedTool() {
    constexpr int kMessageBytes = 16 << 10, kMessages = 16 << 10;
    std::vector<uint8_t> in(kMessageBytes, 0x5a), out(kMessageBytes);
    const CpuTime started;
    int written = 0;
    for (int i = 0; i < kMessages; ++i) {
      EVP_EncryptInit_ex(encrypt_, nullptr, nullptr, nullptr, NonceOf(0).data());
      EVP_EncryptUpdate(encrypt_, out.data(), &written, in.data(), kMessageBytes);
      EVP_EncryptFinal_ex(encrypt_, out.data(), &written);
    }
    return static_cast<double>(kMessages) * kMessageBytes / 1e9 / started.Seconds();
  }
  uint64_t segment_bytes() const { return segment_bytes_; }
  uint64_t bytes() const { return stretches_ * stretch_segments_ * segment_bytes_; }

 private:
  SealBench(const GroupSpec& group, uint64_t data_bytes)
      : segment_bytes_(group.SegmentBytes()),
        block_segments_(group.SegmentsPerPart()),
        stretch_segments_(std::max<uint64_t>(1, kStretchBytes / segment_bytes_)),
        stretches_(std::max<uint64_t>(1, data_bytes / (stretch_segments_ * segment_bytes_))) {}

  absl::Status Prepare(uint64_t data_bytes) {
    ASSIGN_OR_RETURN(raw_, MappedBuffer::Create(std::max(data_bytes, bytes())));
    FillPayload(1, 0, raw_.bytes().first(bytes()));
    std::array<uint8_t, SealingKey::kBytes> key;
    FillPayload(2, 0, key);
    ASSIGN_OR_RETURN(const std::shared_ptr<const SealingKey> sealing_key, SealingKey::FromBytes(key));
    const std::vector<uint8_t> name_space = FrameNamespace({"default", "bench", {}});
    codec_ = std::make_unique<SealedCodec>(*sealing_key, name_space);
    stored_.resize(stretch_segments_ * StoredRangeOf(Codec::kSealed, segment_bytes_).most);
    opened_.resize(stretch_segments_ * segment_bytes_);
    checksums_.resize(stretch_segments_);
    for (const bool encrypt : {true, false}) {
      EVP_CIPHER_CTX* context = EVP_CIPHER_CTX_new();
      (encrypt ? encrypt_ : decrypt_) = context;
      if (EVP_CipherInit_ex(context, EVP_aes_256_gcm(), nullptr, key.data(), nullptr, encrypt ? 1 : 0) != 1) {
        return absl::InternalError("libcrypto has no AES-256-GCM");
      }
    }
    return absl::OkStatus();
  }

  MutableBytes RawOf(uint64_t stretch, uint64_t segment) const {
    return raw_.bytes().subspan((stretch * stretch_segments_ + segment) * segment_bytes_, segment_bytes_);
  }
  MutableBytes StoredOf(uint64_t segment) {
    const uint64_t stored_bytes = StoredRangeOf(Codec::kSealed, segment_bytes_).most;
    return MutableBytes(stored_).subspan(segment * stored_bytes, stored_bytes);
  }
  // Every block has an identity of its own, as in the client.
  SegmentPlace PlaceOf(uint64_t stretch, uint64_t segment) {
    const uint64_t number = stretch * stretch_segments_ + segment;
    const uint64_t block = number / block_segments_;
    std::array<uint8_t, 32> key{};
    std::memcpy(key.data(), &block, sizeof(block));
    return {FrameIdentity(name_space_, 0, 0, key, &identity_), static_cast<uint16_t>(number % block_segments_)};
  }

  void Seal(uint64_t stretch) {
    for (uint64_t i = 0; i < stretch_segments_; ++i) {
      const MutableBytes raw = RawOf(stretch, i);
      const iovec piece{raw.data(), raw.size()};
      codec_->Encode(PlaceOf(stretch, i), {&piece, 1}, StoredOf(i));
      checksums_[i] = Xxh3Of(StoredOf(i));
    }
  }
  bool Open(uint64_t stretch) {
    bool intact = true;
    for (uint64_t i = 0; i < stretch_segments_; ++i) {
      const iovec piece{opened_.data() + i * segment_bytes_, segment_bytes_};
      intact &= Xxh3Of(StoredOf(i)) == checksums_[i] && codec_->Decode(PlaceOf(stretch, i), StoredOf(i), {&piece, 1});
    }
    return intact;
  }
  // One message a segment under one key: what any use of AES-256-GCM costs.
  void BareSeal(uint64_t stretch) {
    for (uint64_t i = 0; i < stretch_segments_; ++i) {
      int written = 0;
      uint8_t* out = StoredOf(i).data();
      EVP_EncryptInit_ex(encrypt_, nullptr, nullptr, nullptr, NonceOf(i).data());
      EVP_EncryptUpdate(encrypt_, out, &written, RawOf(stretch, i).data(), static_cast<int>(segment_bytes_));
      EVP_EncryptFinal_ex(encrypt_, out + segment_bytes_, &written);
      EVP_CIPHER_CTX_ctrl(encrypt_, EVP_CTRL_AEAD_GET_TAG, kTagBytes, out + segment_bytes_);
    }
  }
  bool BareOpen(uint64_t) {
    bool intact = true;
    for (uint64_t i = 0; i < stretch_segments_; ++i) {
      int written = 0;
      uint8_t* in = StoredOf(i).data();
      uint8_t* out = opened_.data() + i * segment_bytes_;
      EVP_DecryptInit_ex(decrypt_, nullptr, nullptr, nullptr, NonceOf(i).data());
      EVP_DecryptUpdate(decrypt_, out, &written, in, static_cast<int>(segment_bytes_));
      EVP_CIPHER_CTX_ctrl(decrypt_, EVP_CTRL_AEAD_SET_TAG, kTagBytes, in + segment_bytes_);
      intact &= EVP_DecryptFinal_ex(decrypt_, out + segment_bytes_, &written) == 1;
    }
    return intact;
  }
  static std::array<uint8_t, 12> NonceOf(uint64_t segment) {
    std::array<uint8_t, 12> nonce{};
    std::memcpy(nonce.data(), &segment, sizeof(segment));
    return nonce;
  }

  uint64_t segment_bytes_, block_segments_, stretch_segments_, stretches_;
  MappedBuffer raw_;
  std::vector<uint8_t> stored_, opened_;
  std::vector<uint64_t> checksums_;
  std::vector<uint8_t> name_space_ = FrameNamespace({"default", "bench", {}});
  std::array<uint8_t, kMaxFramedIdentityBytes> identity_{};
  std::unique_ptr<SealedCodec> codec_;
  EVP_CIPHER_CTX *encrypt_ = nullptr, *decrypt_ = nullptr;
};

Json RatesJson(const PairedSamples& samples) {
  return {{"value", Rounded(samples.values.Median(), 2)},
          {"unit", "GB/s"},
          {"ceiling", Rounded(samples.ceilings.Median(), 2)},
          {"ratio", Rounded(samples.ratios.Median(), 3)},
          {"ratio_range", {Rounded(samples.ratios.Min(), 3), Rounded(samples.ratios.Max(), 3)}}};
}

}  // namespace

absl::StatusOr<BenchReport> RunSealBench(const BenchOptions& options, const ProgressSink& progress) {
  ASSIGN_OR_RETURN(const Layout layout, NamedLayout(options.layout, options.block_tokens));
  ASSIGN_OR_RETURN(const std::unique_ptr<SealBench> bench, SealBench::Create(layout.groups[0], options.data_bytes));
  BenchReport report;
  report.options = options;
  report.unit = "GB/s";
  report.ceiling_name = "AES-256-GCM of the same segments by EVP calls alone, encrypting and decrypting";
  report.target_ratio = kTargetRatio;
  PairedSamples sealing, opening, to_speed_tool;
  for (uint32_t pair = 0; pair < options.pairs; ++pair) {
    Show(progress, "measuring", pair, options.pairs);
    const SealBench::Rates rates = bench->Measure(pair % 2 == 0, &report.wrong_bytes);
    sealing.AddRates(rates.seal, rates.bare_seal);
    opening.AddRates(rates.open, rates.bare_open);
    // Both ways in one figure: bytes sealed and opened, over the time of both.
    const double both = 2 / (1 / rates.seal + 1 / rates.open);
    report.samples.AddRates(both, 2 / (1 / rates.bare_seal + 1 / rates.bare_open));
    to_speed_tool.AddRates(both, bench->MeasureSpeedTool());
  }
  report.details = {{"segment_bytes", bench->segment_bytes()},
                    {"bytes", bench->bytes()},
                    {"seal", RatesJson(sealing)},
                    {"open", RatesJson(opening)},
                    {"against_openssl_speed", RatesJson(to_speed_tool)}};
  return report;
}

}  // namespace incipit::bench
