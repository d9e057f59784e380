#define KERNEL_SYMBOL kPortableKernel
#define KERNEL_NAME "portable"
#include "cache/base/xxh3_kernel.inc"
