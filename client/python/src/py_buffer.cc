#include "client/python/src/py_buffer.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace incipit::python {
namespace {

constexpr long kCpuDevice = 1, kCudaDevice = 2, kCudaHostDevice = 3;  // DLPack's numbers

void CheckDevice(nb::handle object, const Where& where) {
  nb::object device = nb::steal(PyObject_CallMethod(object.ptr(), "__dlpack_device__", nullptr));
  long type = 0, number = 0;
  if (device.is_valid() && PyTuple_Check(device.ptr()) && PyTuple_GET_SIZE(device.ptr()) == 2) {
    type = PyLong_AsLong(PyTuple_GET_ITEM(device.ptr(), 0));
    number = PyLong_AsLong(PyTuple_GET_ITEM(device.ptr(), 1));
  }
  PyErr_Clear();
  if (type == kCpuDevice || type == kCudaHostDevice) return;
  where.Fail(ErrorKind::kUnsupportedDevice,
             fmt::format("buffer: expected host memory, found {} device {} ({})",
                         type == kCudaDevice ? "CUDA" : fmt::format("DLPack type {}", type), number, TypeName(object)));
}

}  // namespace

PyBuffer::PyBuffer(nb::handle object, Access access, const Where& where) {
  if (PyObject_CheckBuffer(object.ptr())) {
    // The most general view, so that what does not fit is told apart rather than refused by the exporter.
    if (PyObject_GetBuffer(object.ptr(), &view_, PyBUF_FULL_RO) == 0) {
      has_view_ = true;
      try {
        TakeView(where, access);
      } catch (...) {
        PyBuffer_Release(&view_);
        throw;
      }
      return;
    }
    PyErr_Clear();  // NumPy exports no view of types that have no format; DLPack may know them.
  }
  TakeTensor(object, where, access);
}

PyBuffer::~PyBuffer() {
  if (has_view_) PyBuffer_Release(&view_);
}

void PyBuffer::TakeView(const Where& where, Access access) {
  if (access == Access::kWrite && view_.readonly) {
    where.Fail(ErrorKind::kBufferMismatch,
               fmt::format("buffer: expected a writable one, found a read-only {}", TypeName(view_.obj)));
  }
  shape_.assign(view_.shape, view_.shape + (view_.shape == nullptr ? 0 : view_.ndim));
  if (!PyBuffer_IsContiguous(&view_, 'C')) {
    std::vector<Py_ssize_t> strides(view_.strides, view_.strides + (view_.strides == nullptr ? 0 : view_.ndim));
    where.Fail(ErrorKind::kBufferMismatch,
               fmt::format("buffer: expected C-contiguous memory, found shape ({}) with strides of ({}) bytes",
                           fmt::join(shape_, ", "), fmt::join(strides, ", ")));
  }
  data_ = static_cast<uint8_t*>(view_.buf);
  bytes_ = static_cast<size_t>(view_.len);
  writable_ = !view_.readonly;
  type_ = ElementType::FromFormat(view_.format, static_cast<size_t>(view_.itemsize));
}

void PyBuffer::TakeTensor(nb::handle object, const Where& where, Access access) {
  if (!nb::hasattr(object, "__dlpack__")) {
    where.Fail(
        ErrorKind::kBufferMismatch,
        fmt::format("buffer: expected an object with the buffer protocol or DLPack, found {}", TypeName(object)));
  }
  CheckDevice(object, where);
  // torch itself refuses to export these; by another way their bytes could be had, behind the back of autograd.
  if (nb::object gradient = nb::getattr(object, "requires_grad", nb::none()); gradient.ptr() == Py_True) {
    where.Fail(ErrorKind::kBufferMismatch, "buffer: the tensor requires a gradient; expected it detached");
  }
  nb::ndarray<> writable;
  if (nb::try_cast<nb::ndarray<>>(object, writable, false)) {
    tensor_ = nb::ndarray<nb::ro>(writable);
    writable_ = true;
  } else if (!nb::try_cast<nb::ndarray<nb::ro>>(object, tensor_, false)) {
    where.Fail(ErrorKind::kBufferMismatch,
               fmt::format("buffer: {} does not export its memory by DLPack", TypeName(object)));
  } else if (access == Access::kWrite) {
    where.Fail(ErrorKind::kBufferMismatch,
               fmt::format("buffer: expected a writable one, found a read-only {}", TypeName(object)));
  }
  int64_t stride = 1;
  bool contiguous = true;
  shape_.resize(tensor_.ndim());
  for (size_t i = shape_.size(); i-- > 0;) {
    shape_[i] = tensor_.shape(i);
    contiguous = contiguous && (shape_[i] == 1 || tensor_.stride(i) == stride);
    stride *= static_cast<int64_t>(shape_[i]);
  }
  if (!contiguous && stride != 0) {
    where.Fail(ErrorKind::kBufferMismatch, fmt::format("buffer: expected C-contiguous memory, found a {} of shape ({})",
                                                       TypeName(object), fmt::join(shape_, ", ")));
  }
  const nb::dlpack::dtype type = tensor_.dtype();
  type_ = type.lanes == 1 ? ElementType{type.code, type.bits} : ElementType{};
  data_ = const_cast<uint8_t*>(static_cast<const uint8_t*>(tensor_.data()));
  bytes_ = static_cast<size_t>(stride) * ((type.bits * type.lanes + 7) / 8);
}

void CheckElementType(const PyBuffer& buffer, const std::optional<ElementType>& required, const Where& where) {
  if (!required.has_value() || buffer.type() == *required || buffer.type().IsUint8()) return;
  where.Fail(ErrorKind::kBufferMismatch, fmt::format("buffer: expected elements of {} (the client's dtype) or uint8, "
                                                     "found {}",
                                                     required->Name(), buffer.type().Name()));
}

}  // namespace incipit::python
