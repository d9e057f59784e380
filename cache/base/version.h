// Which build this is.
#pragma once

namespace incipit {

// "0.1.0": the project's version.
const char* BuildVersion();
// "GNU 12.2.0".
const char* BuildCompiler();
// "RelWithDebInfo": the CMake build type.
const char* BuildType();

}  // namespace incipit
