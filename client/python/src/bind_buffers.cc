#include <fmt/format.h>
#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>

#include "client/python/src/bind.h"
#include "client/python/src/packed_keys.h"
#include "client/python/src/region.h"

namespace incipit::python {
namespace {

nb::object ItemOf(const PackedKeys& keys, nb::handle index) {
  const auto count = static_cast<Py_ssize_t>(keys.size());
  if (PySlice_Check(index.ptr())) {
    Py_ssize_t start = 0, stop = 0, step = 0;
    if (PySlice_Unpack(index.ptr(), &start, &stop, &step) < 0) throw nb::python_error();
    const Py_ssize_t length = PySlice_AdjustIndices(count, &start, &stop, step);
    if (step != 1) {
      Raise(ErrorKind::kInvalidArgument, fmt::format("PackedKeys: expected a slice of step 1, found {}", step));
    }
    return nb::cast(keys.Slice(static_cast<size_t>(start), static_cast<size_t>(length)));
  }
  Py_ssize_t i = PyNumber_AsSsize_t(index.ptr(), PyExc_IndexError);
  if (i == -1 && PyErr_Occurred() != nullptr) throw nb::python_error();
  if (i < 0) i += count;
  if (i < 0 || i >= count) throw nb::index_error(fmt::format("PackedKeys has {} keys", count).c_str());
  return nb::bytes(keys.all().data() + static_cast<size_t>(i) * keys.key_bytes(), keys.key_bytes());
}

}  // namespace

void BindBuffers(nb::module_& module) {
  using namespace nb::literals;
  nb::class_<PackedKeys>(module, "PackedKeys", nb::is_final(),
                         "Keys of one length, one after the other in a buffer: what match() takes without making an\n"
                         "object of every key. A view: it pins the buffer, whose bytes must not change during a call.")
      .def(nb::init<nb::handle, size_t>(),
           nb::sig("def __init__(self, buffer: collections.abc.Buffer | object, key_bytes: int) -> None"), "buffer"_a,
           "key_bytes"_a,
           "buffer: C-contiguous, count * key_bytes bytes. key_bytes: 1 to 64.\n\n"
           "InvalidArgument: key_bytes. BufferMismatch: not contiguous, or not a whole number of keys.")
      .def_prop_ro("key_bytes", &PackedKeys::key_bytes, "Bytes of one key.")
      .def("__len__", &PackedKeys::size, "How many keys.")
      .def("__getitem__", &ItemOf, nb::sig("def __getitem__(self, index: typing.SupportsIndex | slice) -> typing.Any"),
           "One key as bytes, or PackedKeys that share the buffer for a slice of step 1.")
      .def(
          "__bytes__", [](const PackedKeys& keys) { return nb::bytes(keys.all().data(), keys.all().size()); },
          "A copy of all keys, one after the other.")
      .def("__repr__", [](const PackedKeys& keys) {
        return fmt::format("PackedKeys({} keys of {} bytes)", keys.size(), keys.key_bytes());
      });

  nb::class_<Region>(module, "Region", nb::is_final(),
                     "A whole buffer, pinned once, whose pieces blocks are gathered from or scattered to.\n\n"
                     "An engine has one tensor a layer and a block is one slice of each: give the block a list of\n"
                     "(region, offset_bytes, length_bytes), in the order of the block's bytes. Every piece is checked\n"
                     "against the region's bounds.")
      .def(nb::init<nb::handle>(), nb::sig("def __init__(self, buffer: collections.abc.Buffer | object) -> None"),
           "buffer"_a,
           "buffer: C-contiguous host memory of any type. Read-only buffers can be stored from, not loaded into.\n\n"
           "BufferMismatch: no buffer, or not contiguous. UnsupportedDevice: memory of a GPU.")
      .def_prop_ro(
          "nbytes", [](const Region& region) { return region.buffer().bytes(); }, "Bytes of the buffer.")
      .def_prop_ro(
          "readonly", [](const Region& region) { return !region.buffer().writable(); },
          "Whether blocks cannot be loaded into it.")
      .def_prop_ro(
          "dtype", [](const Region& region) { return region.buffer().type().Name(); },
          "Name of the type of its elements, as 'bfloat16'.")
      .def("__repr__", [](const Region& region) {
        return fmt::format("Region({} bytes of {})", region.buffer().bytes(), region.buffer().type().Name());
      });
}

}  // namespace incipit::python
