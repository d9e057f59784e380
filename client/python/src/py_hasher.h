// PrefixHasher for any thread.
#pragma once

#include <mutex>
#include <vector>

#include "client/hasher/prefix_hasher.h"
#include "client/python/src/errors.h"

namespace incipit::python {

// Hashes without the GIL, so calls take a lock of their own. Members need the GIL and throw typed errors.
class PyHasher {
 public:
  explicit PyHasher(PrefixHasherOptions options);

  void AddMedia(MediaSpan span);
  // An integer buffer of 4 or 8 bytes an element, or a sequence of integers; each 0 to 2^32 - 1.
  void Append(nb::handle tokens);
  void Reset();
  // Keys from `first` on, one after the other.
  nb::bytes PackedKeys(size_t first);
  size_t KeyCount();
  uint64_t Tokens();
  size_t key_bytes() const { return options_.algorithm == HashAlgorithm::kSha256 ? 32 : 16; }
  const PrefixHasherOptions& options() const { return options_; }

 private:
  template <typename Function>
  auto Locked(Function function);

  PrefixHasherOptions options_;
  std::mutex mutex_;
  PrefixHasher hasher_;
};

}  // namespace incipit::python
