#define KERNEL_SYMBOL kAvx512Kernel
#define KERNEL_NAME "avx512"
#include "cache/base/xxh3_kernel.inc"
