#include "client/src/codec/sealed_codec.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "cache/base/check.h"
#include "cache/base/piece_cursor.h"
#include "cache/codec/coded_segment.h"
#include "client/src/codec/hkdf.h"

namespace incipit {
namespace {

static_assert(kSealedOverheadBytes == XaesGcm::kNonceBytes + XaesGcm::kTagBytes);
// Of the coded segments under codecs 5 to 7. Another version of them is sealed under other codecs.
constexpr uint8_t kCodedVersion = 1;
static_assert(kCodedVersion == kCodedSegmentVersion, "a new version of coded segments needs new sealed codecs");

// Lives until the cipher has taken the key.
struct NamespaceKey {
  std::array<uint8_t, XaesGcm::kKeyBytes> bytes;
  NamespaceKey(const SealingKey& key, ByteView framed_namespace) {
    HkdfSha256(key.bytes(), "incipit.sealed.v1 namespace", framed_namespace, bytes);
  }
  ~NamespaceKey() { OPENSSL_cleanse(bytes.data(), bytes.size()); }
};

std::atomic<uint64_t> fork_count{0};

// Random bytes drawn before a fork are in both processes: the child must not use them.
uint64_t ForkCount() {
  static const int registered = pthread_atfork(nullptr, nullptr, [] { fork_count.fetch_add(1); });
  INCIPIT_CHECK(registered == 0, "forks cannot be noticed");
  return fork_count.load(std::memory_order_relaxed);
}

template <typename T>
uint8_t* Append(T value, uint8_t* at) {
  std::memcpy(at, &value, sizeof(value));  // Little-endian, as all of ours.
  return at + sizeof(value);
}

}  // namespace

Layout SealedLayout(const Layout& layout, const SealingKey& key) {
  Layout sealed = layout;
  absl::StrAppend(&sealed.name, "+sealed-", key.Id());
  return sealed;
}

SealedCodec::SealedCodec(const SealingKey& key, ByteView framed_namespace, FillRandom fill_random)
    : cipher_(NamespaceKey(key, framed_namespace).bytes), fill_random_(fill_random) {}

bool SealedCodec::RandomOfSystem(MutableBytes out) { return RAND_bytes(out.data(), static_cast<int>(out.size())) == 1; }

ByteView SealedCodec::DataOf(Codec codec, const SegmentPlace& place, uint64_t raw_bytes) {
  INCIPIT_CHECK(place.identity.size() <= kMaxFramedIdentityBytes, "not a framed identity");
  std::copy(place.identity.begin(), place.identity.end(), data_.begin());
  uint8_t* at = data_.data() + place.identity.size();
  at = Append(place.index, at);
  at = Append(static_cast<uint32_t>(raw_bytes), at);
  at = Append(codec, at);
  if (IsCoded(codec)) at = Append(kCodedVersion, at);
  return {data_.data(), at};
}

bool SealedCodec::DrawNonce(std::span<uint8_t, XaesGcm::kNonceBytes> nonce) {
  if (const uint64_t forks = ForkCount(); forks != forks_) {
    forks_ = forks;
    left_of_prefix_ = left_of_suffixes_ = 0;
  }
  if (left_of_prefix_ == 0) {
    if (!fill_random_(prefix_)) return false;
    left_of_prefix_ = kSegmentsPerPrefix;
  }
  if (left_of_suffixes_ == 0) {
    if (!fill_random_(suffixes_)) return false;
    left_of_suffixes_ = kSuffixesPerDraw;
  }
  --left_of_prefix_;
  --left_of_suffixes_;
  std::copy(prefix_.begin(), prefix_.end(), nonce.begin());
  const std::span<uint8_t> suffix = nonce.subspan(prefix_.size());
  std::copy_n(suffixes_.begin() + left_of_suffixes_ * suffix.size(), suffix.size(), suffix.begin());
  return true;
}

uint64_t SealedCodec::Seal(Codec codec, const SegmentPlace& place, uint64_t raw_bytes, std::span<const iovec> plain,
                           MutableBytes stored) {
  const uint64_t plain_bytes = BytesOf(plain);
  INCIPIT_CHECK(IsSealed(codec) && plain_bytes > 0 && stored.size() >= plain_bytes + kSealedOverheadBytes,
                "no room for a sealed segment");
  stored = stored.first(plain_bytes + kSealedOverheadBytes);
  const auto nonce = stored.first<XaesGcm::kNonceBytes>();
  uint8_t* cipher = stored.data() + nonce.size();
  const std::span<uint8_t, XaesGcm::kTagBytes> tag(cipher + plain_bytes, XaesGcm::kTagBytes);
  if (DrawNonce(nonce) && cipher_.Seal(nonce, DataOf(codec, place, raw_bytes), plain, cipher, tag)) {
    return stored.size();
  }
  std::fill(stored.begin(), stored.end(), uint8_t{0});
  return 0;
}

bool SealedCodec::Open(Codec codec, const SegmentPlace& place, uint64_t raw_bytes, ByteView stored,
                       std::span<const iovec> plain) {
  if (stored.size() != BytesOf(plain) + kSealedOverheadBytes) {
    for (const iovec& piece : plain) std::memset(piece.iov_base, 0, piece.iov_len);
    return false;
  }
  const uint8_t* cipher = stored.data() + XaesGcm::kNonceBytes;
  return cipher_.Open(stored.first<XaesGcm::kNonceBytes>(), DataOf(codec, place, raw_bytes), cipher, plain,
                      stored.last<XaesGcm::kTagBytes>());
}

uint64_t SealedCodec::Encode(const SegmentPlace& place, std::span<const iovec> raw, MutableBytes stored) {
  return Seal(Codec::kSealed, place, BytesOf(raw), raw, stored);
}

bool SealedCodec::Decode(const SegmentPlace& place, ByteView stored, std::span<const iovec> raw) {
  return Open(Codec::kSealed, place, BytesOf(raw), stored, raw);
}

}  // namespace incipit
