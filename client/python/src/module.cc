// incipit._core: the compiled half of the Python package.
#include <nanobind/nanobind.h>

#include "client/python/src/bind.h"
#include "client/python/src/errors.h"

NB_MODULE(_core, module) {
  module.doc() = "Compiled half of incipit. Import what you need from the package itself.";
  incipit::python::LoadErrorTypes();
  incipit::python::BindLayout(module);
  incipit::python::BindBuffers(module);
  incipit::python::BindSharedMemory(module);
  incipit::python::BindHasher(module);
  incipit::python::BindResults(module);
  incipit::python::BindClient(module);
}
