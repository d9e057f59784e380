#include "cache/base/version.h"

namespace incipit {

// The macros come from cmake/Targets.cmake and concern this file only, so that a new version recompiles one file.
const char* BuildVersion() { return INCIPIT_VERSION; }
const char* BuildCompiler() { return INCIPIT_COMPILER; }
const char* BuildType() { return INCIPIT_BUILD_TYPE; }

}  // namespace incipit
