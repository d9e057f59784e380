# Compiler settings shared by every target of the project.
add_library(incipit_options INTERFACE)
target_include_directories(incipit_options INTERFACE ${CMAKE_SOURCE_DIR} ${CMAKE_SOURCE_DIR}/client/include)
target_compile_options(incipit_options INTERFACE -Wall -Wextra -Wshadow
  -Wno-missing-field-initializers -fno-omit-frame-pointer)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # GCC 12 sees overflows in inlined std::string appends, and uninitialised reads in coroutine frames, where there
  # are none.
  target_compile_options(incipit_options INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-Wno-stringop-overflow>
    $<$<COMPILE_LANGUAGE:CXX>:-Wno-restrict> $<$<COMPILE_LANGUAGE:CXX>:-Wno-maybe-uninitialized>
    $<$<COMPILE_LANGUAGE:CXX>:-Wno-array-bounds> $<$<COMPILE_LANGUAGE:CXX>:-Wno-stringop-overread>)
  target_compile_options(incipit_options INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-fcoroutines>)
endif()
# GCC warns of what cannot happen once sanitizers have rewritten the code; the release build has the last word.
if(INCIPIT_WERROR AND NOT INCIPIT_SANITIZE)
  target_compile_options(incipit_options INTERFACE -Werror)
endif()
if(INCIPIT_SANITIZE)
  target_compile_options(incipit_options INTERFACE -fsanitize=${INCIPIT_SANITIZE} -fno-sanitize-recover=all)
  target_link_options(incipit_options INTERFACE -fsanitize=${INCIPIT_SANITIZE})
endif()
if(INCIPIT_FUZZ)
  target_compile_options(incipit_options INTERFACE -fsanitize=fuzzer-no-link)
endif()

find_program(INCIPIT_CCACHE ccache)
if(INCIPIT_CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_SOURCE_DIR}/cmake/ccache_launcher.sh ${CMAKE_SOURCE_DIR})
  set(CMAKE_C_COMPILER_LAUNCHER ${CMAKE_CXX_COMPILER_LAUNCHER})
endif()
