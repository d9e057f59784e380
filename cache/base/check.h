// Assertion of what only a programming error can break; stays on in release builds. Operating errors are absl::Status.
#pragma once

#include <cstdio>
#include <cstdlib>

// Prints where and what, then aborts, if `condition` is false.
#define INCIPIT_CHECK(condition, what)                                                                \
  do {                                                                                                \
    if (!(condition)) [[unlikely]] {                                                                  \
      std::fprintf(stderr, "%s:%d: check failed: %s (%s)\n", __FILE__, __LINE__, (what), #condition); \
      std::abort();                                                                                   \
    }                                                                                                 \
  } while (false)
