#include "client/src/codec/xaes_gcm.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "cache/seams/random.h"
#include "tests/support/golden_file.h"

namespace incipit {
namespace {

using Bytes = std::vector<uint8_t>;

Bytes BytesOfText(std::string_view text) { return {text.begin(), text.end()}; }
iovec PieceOf(Bytes* bytes) { return {bytes->data(), bytes->size()}; }

struct Sealed {
  Bytes cipher;
  std::array<uint8_t, XaesGcm::kTagBytes> tag{};
};

Sealed SealWith(XaesGcm* cipher, ByteView nonce, ByteView data, Bytes plain) {
  Sealed sealed{.cipher = Bytes(plain.size())};
  const iovec piece = PieceOf(&plain);
  EXPECT_TRUE(cipher->Seal(nonce.first<24>(), data, {&piece, 1}, sealed.cipher.data(), sealed.tag));
  return sealed;
}

// The vectors published with the construction, c2sp.org/XAES-256-GCM: the two branches of the doubling.
TEST(XaesGcm, GivesThePublishedBytes) {
  const Bytes nonce = BytesOfText("ABCDEFGHIJKLMNOPQRSTUVWX");
  XaesGcm ones(std::array<uint8_t, 32>{1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
                                       1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1});
  const Sealed plain = SealWith(&ones, nonce, {}, BytesOfText("XAES-256-GCM"));
  EXPECT_EQ(golden::Hex(plain.cipher) + golden::Hex(plain.tag),
            "ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271");
  XaesGcm threes(std::array<uint8_t, 32>{3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3,
                                         3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3});
  const Sealed bound = SealWith(&threes, nonce, BytesOfText("c2sp.org/XAES-256-GCM"), BytesOfText("XAES-256-GCM"));
  EXPECT_EQ(golden::Hex(bound.cipher) + golden::Hex(bound.tag),
            "986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d");
}

TEST(XaesGcm, PiecesOfAnySizeOpenToWhatWasSealed) {
  const auto random = MakeSeededRandom(5);
  std::array<uint8_t, 32> key;
  random->Fill(key);
  XaesGcm writer(key), reader(key);
  for (int round = 0; round < 200; ++round) {
    Bytes plain(1 + random->Below(5000)), nonce(24), data(random->Below(400));
    random->Fill(plain);
    random->Fill(nonce);
    random->Fill(data);
    const auto cut = [&](Bytes* bytes) {
      std::vector<iovec> pieces;
      for (size_t at = 0; at < bytes->size();) {
        const size_t step = std::min<size_t>(random->Below(700), bytes->size() - at);  // 0 now and then
        pieces.push_back({bytes->data() + at, step});
        at += step;
      }
      return pieces;
    };
    Sealed sealed{.cipher = Bytes(plain.size())};
    ASSERT_TRUE(writer.Seal(ByteView(nonce).first<24>(), data, cut(&plain), sealed.cipher.data(), sealed.tag));
    Bytes opened(plain.size());
    ASSERT_TRUE(reader.Open(ByteView(nonce).first<24>(), data, sealed.cipher.data(), cut(&opened), sealed.tag));
    ASSERT_EQ(opened, plain);
  }
}

TEST(XaesGcm, AnyChangedBitFailsAndLeavesZeros) {
  std::array<uint8_t, 32> key{7};
  XaesGcm cipher(key);
  const Bytes nonce(24, 9), data(30, 8);
  const Sealed sealed = SealWith(&cipher, nonce, data, BytesOfText("the words of a prompt"));
  const auto opens = [&](const Bytes& with_nonce, const Bytes& with_data, const Sealed& with) {
    Bytes opened(with.cipher.size(), 0xaa);
    const iovec piece = PieceOf(&opened);
    const bool ok = cipher.Open(ByteView(with_nonce).first<24>(), with_data, with.cipher.data(), {&piece, 1}, with.tag);
    EXPECT_EQ(opened, ok ? BytesOfText("the words of a prompt") : Bytes(opened.size(), 0));
    return ok;
  };
  EXPECT_TRUE(opens(nonce, data, sealed));
  for (int bit = 0; bit < 8; ++bit) {
    const auto mask = static_cast<uint8_t>(1 << bit);
    for (size_t at = 0; at < nonce.size(); ++at) {
      Bytes changed = nonce;
      changed[at] ^= mask;
      EXPECT_FALSE(opens(changed, data, sealed)) << "nonce, byte " << at;
    }
    for (size_t at = 0; at < data.size(); ++at) {
      Bytes changed = data;
      changed[at] ^= mask;
      EXPECT_FALSE(opens(nonce, changed, sealed)) << "data, byte " << at;
    }
    for (size_t at = 0; at < sealed.cipher.size() + sealed.tag.size(); ++at) {
      Sealed changed = sealed;
      (at < sealed.cipher.size() ? changed.cipher[at] : changed.tag[at - sealed.cipher.size()]) ^= mask;
      EXPECT_FALSE(opens(nonce, data, changed)) << "cipher text and tag, byte " << at;
    }
  }
  EXPECT_TRUE(opens(nonce, data, sealed)) << "a failure leaves nothing behind";
}

}  // namespace
}  // namespace incipit
