#include "client/python/src/element_type.h"

#include <fmt/format.h>

#include <cstring>
#include <iterator>

namespace incipit::python {
namespace {

struct Named {
  const char* name;
  ElementType type;
};
constexpr uint8_t kInt = 0, kUint = 1, kFloat = 2, kBfloat = 4, kComplex = 5, kBool = 6;
constexpr Named kNamed[] = {
    {"int8", {kInt, 8}},          {"int16", {kInt, 16}},         {"int32", {kInt, 32}},
    {"int64", {kInt, 64}},        {"uint8", {kUint, 8}},         {"uint16", {kUint, 16}},
    {"uint32", {kUint, 32}},      {"uint64", {kUint, 64}},       {"float16", {kFloat, 16}},
    {"float32", {kFloat, 32}},    {"float64", {kFloat, 64}},     {"bfloat16", {kBfloat, 16}},
    {"bool", {kBool, 8}},         {"float8_e4m3", {8, 8}},       {"float8_e4m3fn", {10, 8}},
    {"float8_e4m3fnuz", {11, 8}}, {"float8_e5m2", {12, 8}},      {"float8_e5m2fnuz", {13, 8}},
    {"float8_e8m0fnu", {14, 8}},  {"complex64", {kComplex, 64}}, {"complex128", {kComplex, 128}},
};

}  // namespace

std::string ElementType::Name() const {
  for (const Named& named : kNamed) {
    if (named.type == *this) return named.name;
  }
  return code == kUnknownCode ? "an unnamed type" : fmt::format("DLPack type {} of {} bits", code, bits);
}

std::optional<ElementType> ElementType::FromName(const std::string& name) {
  for (const Named& named : kNamed) {
    if (named.name == name) return named.type;
  }
  return std::nullopt;
}

ElementType ElementType::FromFormat(const char* format, size_t item_bytes) {
  if (format == nullptr) return {kUint, 8};
  if (std::strchr("@=<", *format) != nullptr && *format != '\0') ++format;
  if (*format == '\0' || format[1] != '\0' || item_bytes > 8) return {};
  const auto bits = static_cast<uint8_t>(item_bytes * 8);
  if (std::strchr("bhilqn", *format) != nullptr) return {kInt, bits};
  if (std::strchr("BHILQNc", *format) != nullptr) return {kUint, bits};
  if (std::strchr("efd", *format) != nullptr) return {kFloat, bits};
  return *format == '?' ? ElementType{kBool, bits} : ElementType{};
}

}  // namespace incipit::python
