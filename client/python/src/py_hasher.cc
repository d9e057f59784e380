#include "client/python/src/py_hasher.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "client/python/src/py_buffer.h"

namespace incipit::python {
namespace {

constexpr Where kAppend{"append"};

PrefixHasher Created(const PrefixHasherOptions& options) {
  absl::StatusOr<PrefixHasher> hasher = PrefixHasher::Create(options);
  if (!hasher.ok()) RaiseStatus(hasher.status());
  return *std::move(hasher);
}

// Copies, because the buffer may be wider, and because its owner may write to it while the GIL is released.
template <typename Element>
std::vector<uint32_t> Narrowed(const PyBuffer& buffer) {
  std::vector<uint32_t> tokens(buffer.bytes() / sizeof(Element));
  for (size_t i = 0; i < tokens.size(); ++i) {
    Element value;
    std::memcpy(&value, buffer.data() + i * sizeof(Element), sizeof(Element));
    if (!std::in_range<uint32_t>(value)) {
      kAppend.Fail(ErrorKind::kInvalidArgument,
                   fmt::format("token {}: expected 0 to {}, found {}", i, UINT32_MAX, value));
    }
    tokens[i] = static_cast<uint32_t>(value);
  }
  return tokens;
}

std::vector<uint32_t> FromBuffer(nb::handle object) {
  const PyBuffer buffer(object, Access::kRead, kAppend);
  const std::string type = buffer.type().Name();
  if (type == "uint32") return Narrowed<uint32_t>(buffer);
  if (type == "int32") return Narrowed<int32_t>(buffer);
  if (type == "int64") return Narrowed<int64_t>(buffer);
  if (type == "uint64") return Narrowed<uint64_t>(buffer);
  kAppend.Fail(ErrorKind::kBufferMismatch,
               fmt::format("tokens: expected int32, uint32, int64 or uint64, found {}", type));
}

std::vector<uint32_t> ToTokens(nb::handle object) {
  const bool sequence = PyList_Check(object.ptr()) || PyTuple_Check(object.ptr());
  if (!sequence && (PyObject_CheckBuffer(object.ptr()) || nb::hasattr(object, "__dlpack__"))) return FromBuffer(object);
  const nb::object tuple = nb::steal(PySequence_Tuple(object.ptr()));
  if (!tuple.is_valid()) {
    PyErr_Clear();
    kAppend.Fail(ErrorKind::kInvalidArgument,
                 fmt::format("tokens: expected a buffer or a sequence of integers, found {}", TypeName(object)));
  }
  std::vector<uint32_t> tokens(static_cast<size_t>(PyTuple_GET_SIZE(tuple.ptr())));
  for (size_t i = 0; i < tokens.size(); ++i) {
    const nb::handle token = PyTuple_GET_ITEM(tuple.ptr(), static_cast<Py_ssize_t>(i));
    tokens[i] = static_cast<uint32_t>(ToUnsigned(token, UINT32_MAX, {"append", "token", i}, "value"));
  }
  return tokens;
}

}  // namespace

PyHasher::PyHasher(PrefixHasherOptions options) : options_(std::move(options)), hasher_(Created(options_)) {}

template <typename Function>
auto PyHasher::Locked(Function function) {
  const nb::gil_scoped_release release;
  const std::lock_guard<std::mutex> lock(mutex_);
  return function();
}

void PyHasher::AddMedia(MediaSpan span) {
  const absl::Status status = Locked([&] { return hasher_.AddMedia(std::move(span)); });
  if (!status.ok()) RaiseStatus(status);
}

void PyHasher::Append(nb::handle object) {
  const std::vector<uint32_t> tokens = ToTokens(object);
  Locked([&] { hasher_.Append(tokens); });
}

void PyHasher::Reset() {
  Locked([&] { hasher_.Reset(); });
}

nb::bytes PyHasher::PackedKeys(size_t first) {
  std::vector<uint8_t> packed;
  Locked([&] {
    const std::vector<BlockKey>& keys = hasher_.keys();
    first = std::min(first, keys.size());
    packed.reserve((keys.size() - first) * key_bytes());
    for (size_t i = first; i < keys.size(); ++i) {
      packed.insert(packed.end(), keys[i].bytes().begin(), keys[i].bytes().end());
    }
  });
  return nb::bytes(packed.data(), packed.size());
}

size_t PyHasher::KeyCount() {
  return Locked([&] { return hasher_.keys().size(); });
}

uint64_t PyHasher::Tokens() {
  return Locked([&] { return hasher_.tokens(); });
}

}  // namespace incipit::python
