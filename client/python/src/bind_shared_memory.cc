#include <fmt/format.h>
#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>

#include <memory>

#include "client/python/src/bind.h"
#include "client/python/src/errors.h"
#include "incipit/shared_region.h"

namespace incipit::python {
namespace {

struct SharedMemory {
  std::unique_ptr<SharedRegion> region;
};

// Views hold a reference to the object, so its memory outlives them.
int GetBuffer(PyObject* self, Py_buffer* view, int flags) {
  const auto* memory = nb::inst_ptr<SharedMemory>(self);
  return PyBuffer_FillInfo(view, self, memory->region->data(), static_cast<Py_ssize_t>(memory->region->bytes()),
                           /*readonly=*/0, flags);
}

PyType_Slot slots[] = {{Py_bf_getbuffer, reinterpret_cast<void*>(GetBuffer)}, {0, nullptr}};

}  // namespace

void BindSharedMemory(nb::module_& module) {
  using namespace nb::literals;
  nb::class_<SharedMemory>(
      module, "SharedMemory", nb::is_final(), nb::type_slots(slots),
      "Memory that a node on this host reads and writes directly over unix://, as a writable buffer.\n\n"
      "Blocks whose buffers lie in it (numpy.frombuffer(memory, ...), torch.frombuffer, memoryview,\n"
      "Region) are copied once, by the node. On other lanes it is memory like any other. It has no\n"
      "name in the file system, and is given back with the last view of it.")
      .def(
          "__init__",
          [](SharedMemory* self, uint64_t bytes) {
            absl::StatusOr<std::unique_ptr<SharedRegion>> region = SharedRegion::Create(bytes);
            if (!region.ok()) Raise(ErrorKind::kInvalidArgument, std::string(region.status().message()));
            new (self) SharedMemory{*std::move(region)};
          },
          "nbytes"_a,
          "nbytes: rounded up to whole pages; zeroed.\n\n"
          "InvalidArgument: 0 bytes, or more than the system gives.")
      .def_prop_ro(
          "nbytes", [](const SharedMemory& memory) { return memory.region->bytes(); }, "Bytes of the memory.")
      .def("__repr__",
           [](const SharedMemory& memory) { return fmt::format("SharedMemory({} bytes)", memory.region->bytes()); });
}

}  // namespace incipit::python
