// Python exceptions of this package, raised from C++. The classes live in incipit/errors.py.
#pragma once

#include <nanobind/nanobind.h>

#include <string>

#include "absl/status/status.h"

namespace incipit::python {

namespace nb = nanobind;

enum class ErrorKind {
  kOther,            // IncipitError
  kInvalidArgument,  // a mistake of the caller
  kBufferMismatch,   // shape, size, dtype, order or writability of a buffer
  kUnavailable,
  kRefused,
  kClosed,
  kForked,
  kUnsupportedDevice,
};

// Imports the exception classes. Call once, when the module is made.
void LoadErrorTypes();

// Every function below needs the GIL.
[[noreturn]] void Raise(ErrorKind kind, const std::string& message);
[[noreturn]] void RaiseStatus(const absl::Status& status);
// An instance, for completions that hand an error over instead of raising it.
nb::object ErrorOf(ErrorKind kind, const std::string& message);
nb::object ErrorOf(const absl::Status& status);

// What a message is about, kept cheap: the text is made only if there is an error. "load: block 3: ...".
struct Where {
  const char* call;
  const char* item = nullptr;  // "block", "key", ...; nullptr = the call as a whole
  size_t index = 0;

  std::string Text() const;
  [[noreturn]] void Fail(ErrorKind kind, const std::string& what) const { Raise(kind, Text() + what); }
};

// A Python integer of 0 to `max`, or InvalidArgument naming `field`.
uint64_t ToUnsigned(nb::handle value, uint64_t max, const Where& where, const char* field);

std::string TypeName(nb::handle object);

}  // namespace incipit::python
