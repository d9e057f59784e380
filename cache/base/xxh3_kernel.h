// The table of functions that each instruction set's build of xxHash provides. Internal to xxh3.cc.
#pragma once

#include <cstddef>
#include <cstdint>

namespace incipit::xxh3_internal {

struct Kernel {
  const char* name;
  size_t state_bytes;
  uint64_t (*hash64)(const void*, size_t);
  void (*hash128)(const void*, size_t, uint64_t out[2]);
  void (*hash128_secret)(const void*, size_t, const void* secret, size_t secret_bytes, uint64_t out[2]);
  void (*reset)(void* state);
  void (*update)(void* state, const void*, size_t);
  uint64_t (*digest)(const void* state);
};

extern const Kernel kAvx512Kernel;
extern const Kernel kAvx2Kernel;
extern const Kernel kPortableKernel;

}  // namespace incipit::xxh3_internal
