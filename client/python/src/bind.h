// The parts of the module, in the order in which they are bound: later ones name types of earlier ones.
#pragma once

#include <nanobind/nanobind.h>

namespace incipit::python {

void BindLayout(nanobind::module_& module);
void BindBuffers(nanobind::module_& module);
void BindSharedMemory(nanobind::module_& module);
void BindHasher(nanobind::module_& module);
void BindResults(nanobind::module_& module);
void BindClient(nanobind::module_& module);

}  // namespace incipit::python
