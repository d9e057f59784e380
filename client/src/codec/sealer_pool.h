// Sealed codecs for the threads that code: each job borrows one, so that none is used by two at once.
#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "client/src/codec/sealed_codec.h"

namespace incipit {

// Owner: one client; outlives what it lends. Any thread. Makes as many as are out at once, which is one for each coding
// thread, and keeps them: each has a nonce prefix of its own, good for a thousand segments.
class SealerPool {
 public:
  class GiveBack {
   public:
    explicit GiveBack(SealerPool* pool = nullptr) : pool_(pool) {}
    void operator()(SealedCodec* codec) const { pool_->Return(codec); }

   private:
    SealerPool* pool_;
  };
  using Loan = std::unique_ptr<SealedCodec, GiveBack>;

  // `framed_namespace`: that of the sealed layout.
  SealerPool(std::shared_ptr<const SealingKey> key, ByteView framed_namespace);
  SealerPool(const SealerPool&) = delete;
  SealerPool& operator=(const SealerPool&) = delete;

  Loan Take();

 private:
  void Return(SealedCodec* codec);

  const std::shared_ptr<const SealingKey> key_;
  const std::vector<uint8_t> framed_namespace_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<SealedCodec>> idle_;
};

}  // namespace incipit
