// What a fuzz target does when a property fails: say which one, then die where libFuzzer sees it.
#pragma once

#include <cstdio>
#include <cstdlib>

#define FUZZ_CHECK(condition, what)                             \
  do {                                                          \
    if (!(condition)) {                                         \
      std::fprintf(stderr, "fuzz property broken: %s\n", what); \
      std::abort();                                             \
    }                                                           \
  } while (false)
