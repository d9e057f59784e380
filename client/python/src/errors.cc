#include "client/python/src/errors.h"

#include <fmt/format.h>

#include <array>

namespace incipit::python {
namespace {

constexpr const char* kNames[] = {"IncipitError", "InvalidArgument", "BufferMismatch", "Unavailable",
                                  "Refused",      "ClosedError",     "ForkedError",    "UnsupportedDevice"};

// Borrowed for the life of the process: the classes must outlive whatever the interpreter tears down last.
std::array<PyObject*, std::size(kNames)> types{};

PyObject* TypeOf(ErrorKind kind) { return types[static_cast<size_t>(kind)]; }

ErrorKind KindOf(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kNotFound:  // of a name that the caller gave
    case absl::StatusCode::kOutOfRange:
      return ErrorKind::kInvalidArgument;
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kCancelled:
      return ErrorKind::kUnavailable;
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kResourceExhausted:
    case absl::StatusCode::kPermissionDenied:
    case absl::StatusCode::kUnauthenticated:
      return ErrorKind::kRefused;
    default:
      return ErrorKind::kOther;
  }
}

}  // namespace

void LoadErrorTypes() {
  nb::module_ module = nb::module_::import_("incipit.errors");
  for (size_t i = 0; i < types.size(); ++i) types[i] = nb::object(module.attr(kNames[i])).release().ptr();
}

void Raise(ErrorKind kind, const std::string& message) {
  PyErr_SetString(TypeOf(kind), message.c_str());
  throw nb::python_error();
}

void RaiseStatus(const absl::Status& status) { Raise(KindOf(status.code()), std::string(status.message())); }

nb::object ErrorOf(ErrorKind kind, const std::string& message) {
  return nb::handle(TypeOf(kind))(nb::str(message.data(), message.size()));
}

nb::object ErrorOf(const absl::Status& status) { return ErrorOf(KindOf(status.code()), std::string(status.message())); }

std::string Where::Text() const {
  return item == nullptr ? fmt::format("{}: ", call) : fmt::format("{}: {} {}: ", call, item, index);
}

uint64_t ToUnsigned(nb::handle value, uint64_t max, const Where& where, const char* field) {
  // An exact integer in nearly all cases; NumPy's have __index__.
  nb::object index = nb::steal(PyNumber_Index(value.ptr()));
  if (index.is_valid()) {
    const uint64_t number = PyLong_AsUnsignedLongLong(index.ptr());
    if (PyErr_Occurred() == nullptr && number <= max) return number;
  }
  PyErr_Clear();
  const std::string found = index.is_valid() ? std::string(nb::repr(index).c_str()) : TypeName(value);
  where.Fail(ErrorKind::kInvalidArgument,
             fmt::format("{}: expected an integer of 0 to {}, found {}", field, max, found));
}

std::string TypeName(nb::handle object) { return Py_TYPE(object.ptr())->tp_name; }

}  // namespace incipit::python
