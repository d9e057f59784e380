#define KERNEL_SYMBOL kAvx2Kernel
#define KERNEL_NAME "avx2"
#include "cache/base/xxh3_kernel.inc"
