#include "client/src/codec/sealer_pool.h"

#include <utility>

namespace incipit {

SealerPool::SealerPool(std::shared_ptr<const SealingKey> key, ByteView framed_namespace)
    : key_(std::move(key)), framed_namespace_(framed_namespace.begin(), framed_namespace.end()) {}

SealerPool::Loan SealerPool::Take() {
  std::unique_ptr<SealedCodec> codec;
  {
    const std::lock_guard lock(mutex_);
    if (!idle_.empty()) {
      codec = std::move(idle_.back());
      idle_.pop_back();
    }
  }
  if (codec == nullptr) codec = std::make_unique<SealedCodec>(*key_, framed_namespace_);
  return Loan(codec.release(), GiveBack(this));
}

void SealerPool::Return(SealedCodec* codec) {
  const std::lock_guard lock(mutex_);
  idle_.emplace_back(codec);
}

}  // namespace incipit
