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
#include "client/src/codec/hkdf.h"

namespace incipit {
namespace {

static_assert(kSealedOverheadBytes == XaesGcm::kNonceBytes + XaesGcm::kTagBytes);

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

ByteView SealedCodec::DataOf(const SegmentPlace& place, uint64_t raw_bytes) {
  INCIPIT_CHECK(place.identity.size() <= kMaxFramedIdentityBytes, "not a framed identity");
  std::copy(place.identity.begin(), place.identity.end(), data_.begin());
  uint8_t* at = data_.data() + place.identity.size();
  at = Append(place.index, at);
  at = Append(static_cast<uint32_t>(raw_bytes), at);
  at = Append(Codec::kSealed, at);
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

uint64_t SealedCodec::Encode(const SegmentPlace& place, std::span<const iovec> raw, MutableBytes stored) {
  const uint64_t raw_bytes = BytesOf(raw);
  INCIPIT_CHECK(raw_bytes > 0 && stored.size() >= MaxStoredBytes(raw_bytes), "no room for a sealed segment");
  const auto nonce = stored.first<XaesGcm::kNonceBytes>();
  uint8_t* cipher = stored.data() + nonce.size();
  const std::span<uint8_t, XaesGcm::kTagBytes> tag(cipher + raw_bytes, XaesGcm::kTagBytes);
  if (DrawNonce(nonce) && cipher_.Seal(nonce, DataOf(place, raw_bytes), raw, cipher, tag)) {
    return MaxStoredBytes(raw_bytes);
  }
  std::fill(stored.begin(), stored.end(), uint8_t{0});
  return 0;
}

bool SealedCodec::Decode(const SegmentPlace& place, ByteView stored, std::span<const iovec> raw) {
  const uint64_t raw_bytes = BytesOf(raw);
  if (stored.size() != MaxStoredBytes(raw_bytes)) {
    for (const iovec& piece : raw) std::memset(piece.iov_base, 0, piece.iov_len);
    return false;
  }
  const uint8_t* cipher = stored.data() + XaesGcm::kNonceBytes;
  return cipher_.Open(stored.first<XaesGcm::kNonceBytes>(), DataOf(place, raw_bytes), cipher, raw,
                      stored.last<XaesGcm::kTagBytes>());
}

}  // namespace incipit
