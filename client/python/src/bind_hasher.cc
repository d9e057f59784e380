#include <fmt/format.h>
#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>

#include <string>

#include "client/python/src/bind.h"
#include "client/python/src/packed_keys.h"
#include "client/python/src/py_hasher.h"

namespace incipit::python {
namespace {

std::string ToText(nb::handle value, const char* field) {
  if (PyBytes_Check(value.ptr())) {
    return {PyBytes_AS_STRING(value.ptr()), static_cast<size_t>(PyBytes_GET_SIZE(value.ptr()))};
  }
  if (PyUnicode_Check(value.ptr())) return nb::cast<std::string>(value);
  Raise(ErrorKind::kInvalidArgument,
        fmt::format("PrefixHasher: {}: expected bytes or str, found {}", field, TypeName(value)));
}

HashAlgorithm ToAlgorithm(const std::string& name) {
  if (name == "sha256") return HashAlgorithm::kSha256;
  if (name == "xxh3_128") return HashAlgorithm::kXxh3_128;
  Raise(ErrorKind::kInvalidArgument,
        fmt::format("PrefixHasher: algorithm: expected 'sha256' or 'xxh3_128', found '{}'", name));
}

nb::list KeysOf(PyHasher& hasher) {
  const nb::bytes packed = hasher.PackedKeys(0);
  nb::list keys;
  for (size_t at = 0; at < packed.size(); at += hasher.key_bytes()) {
    keys.append(nb::bytes(packed.c_str() + at, hasher.key_bytes()));
  }
  return keys;
}

}  // namespace

void BindHasher(nb::module_& module) {
  using namespace nb::literals;
  nb::class_<PyHasher>(
      module, "PrefixHasher", nb::is_final(),
      "Block keys for engines that have none: a hash chain over token chunks, so that equal keys mean\n"
      "equal openings. One hasher for one prompt; reuse it with reset(). Any thread.")
      .def(
          "__init__",
          [](PyHasher* self, const std::string& algorithm, uint32_t chunk_tokens, nb::handle salt, nb::handle lora_id) {
            new (self) PyHasher({.algorithm = ToAlgorithm(algorithm),
                                 .chunk_tokens = chunk_tokens,
                                 .salt = ToText(salt, "salt"),
                                 .lora_id = ToText(lora_id, "lora_id")});
          },
          nb::sig("def __init__(self, algorithm: typing.Literal['sha256', 'xxh3_128'] = 'sha256', *, "
                  "chunk_tokens: int = 64, salt: bytes | str = b'', lora_id: bytes | str = b'') -> None"),
          "algorithm"_a = "sha256", nb::kw_only(), "chunk_tokens"_a = 64, "salt"_a = nb::bytes(""),
          "lora_id"_a = nb::bytes(""),
          "sha256 gives keys of 32 bytes; xxh3_128 of 16, for clients that trust each other. salt: of the tenant or\n"
          "request. lora_id: of the adapter.\n\nInvalidArgument: unknown algorithm, chunk_tokens of 0 or over 65536.")
      .def(
          "add_media",
          [](PyHasher& self, uint64_t first_token, uint64_t token_count, nb::handle content_id) {
            self.AddMedia({first_token, token_count, ToText(content_id, "content_id")});
          },
          nb::sig("def add_media(self, first_token: int, token_count: int, content_id: bytes | str) -> None"),
          "first_token"_a, "token_count"_a, "content_id"_a,
          "Announces an image or clip whose placeholder tokens are appended later.\n\n"
          "InvalidArgument: spans must ascend, must not overlap and must not have begun.")
      .def("append", &PyHasher::Append,
           nb::sig("def append(self, tokens: collections.abc.Buffer | collections.abc.Sequence[int] | object) -> None"),
           "tokens"_a,
           "Token ids of 0 to 2**32 - 1: an int32, uint32, int64 or uint64 buffer or a sequence of integers. Keys do\n"
           "not depend on how tokens are cut into calls.\n\n"
           "InvalidArgument: a token out of range. BufferMismatch: another element type, not contiguous.")
      .def("reset", &PyHasher::Reset, "Forgets tokens, keys and media; keeps options and memory.")
      .def("keys", &KeysOf, nb::sig("def keys(self) -> list[bytes]"),
           "One key per complete chunk so far. Key i names tokens 0 to (i + 1) * chunk_tokens.")
      .def(
          "packed_keys",
          [](PyHasher& self, size_t first) { return PackedKeys(self.PackedKeys(first), self.key_bytes()); },
          "first"_a = 0, "A packed copy of the keys from key `first` on.")
      .def("__len__", &PyHasher::KeyCount, "How many keys there are.")
      .def_prop_ro("tokens", &PyHasher::Tokens, "Tokens appended so far, those of an incomplete chunk included.")
      .def_prop_ro("key_bytes", &PyHasher::key_bytes, "Bytes of one key.")
      .def_prop_ro(
          "chunk_tokens", [](const PyHasher& self) { return self.options().chunk_tokens; },
          "Tokens that one key adds.");
}

}  // namespace incipit::python
