#include "cache/codec/kernel.h"

#include <cpuid.h>

#include <initializer_list>

namespace incipit::codec_internal {
namespace {

bool HasBitInstructions() { return __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("popcnt"); }

// Whether PDEP and PEXT are microcode, tens to hundreds of cycles each: AMD's families before 0x19 (Zen 3).
bool HasSlowBitInstructions() {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  if (!__builtin_cpu_is("amd") || __get_cpuid(1, &eax, &ebx, &ecx, &edx) == 0) return false;
  const unsigned family = (eax >> 8 & 0xf) + (eax >> 20 & 0xff);
  return family < 0x19;
}

}  // namespace

bool CanRun(const Kernel& kernel) {
  __builtin_cpu_init();
  if (&kernel == &kAvx512Kernel) {
    return HasBitInstructions() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl");
  }
  if (&kernel == &kAvx2Kernel) return HasBitInstructions() && __builtin_cpu_supports("avx2");
  return true;
}

const Kernel& BestKernel() {
  static const Kernel& best = []() -> const Kernel& {
    for (const Kernel* kernel : {&kAvx512Kernel, &kAvx2Kernel}) {
      if (CanRun(*kernel) && !HasSlowBitInstructions()) return *kernel;
    }
    return kPortableKernel;
  }();
  return best;
}

}  // namespace incipit::codec_internal
