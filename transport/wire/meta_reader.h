// Decodes the meta of one message from untrusted bytes and remembers the first thing that was wrong with it, as a
// Status that names message, field, found and allowed. After it, reads give zero or empty, so a decoder checks once at
// its end; loops check ok(). Holds views of the bytes and names. One thread. Allocates only to describe an error.
#pragma once

#include <concepts>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "cache/base/byte_reader.h"

namespace incipit::wire {

class MetaReader {
 public:
  // Bounds of a count or length. `what` names the counted things; `advice` says what to do about too many.
  struct Bounds {
    uint64_t min = 0;
    uint64_t max = 0;
    size_t entry_bytes = 1;  // fewest bytes that one counted thing takes in the meta
    const char* what = "";
    const char* advice = "";
  };

  MetaReader(const char* message, ByteView meta) : message_(message), reader_(meta) {}

  template <std::unsigned_integral T>
  T Read(const char* field) {
    if (!Need(field, sizeof(T))) return 0;
    return reader_.Read<T>();
  }
  // Fails unless min <= value <= max.
  template <std::unsigned_integral T>
  T ReadIn(const char* field, T min, T max) {
    const T value = Read<T>(field);
    if (ok() && (value < min || value > max)) FailRange(field, value, min, max);
    return ok() ? value : 0;
  }
  // One byte, an enumeration whose values are 0 to `last`.
  template <typename Enum>
  Enum ReadEnum(const char* field, Enum last) {
    return static_cast<Enum>(ReadIn<uint8_t>(field, 0, static_cast<uint8_t>(last)));
  }
  // A count or length, checked against its bounds and against the bytes left, so that its holder may reserve memory.
  template <std::unsigned_integral T>
  T ReadCount(const char* field, const Bounds& bounds) {
    const T count = Read<T>(field);
    if (ok()) CheckCount(field, count, bounds);
    return ok() ? count : 0;
  }
  ByteView ReadBytes(const char* field, size_t count) {
    if (!Need(field, count)) return {};
    return reader_.ReadBytes(count);
  }
  // A u16 length of min to max, then that many bytes.
  std::string_view ReadText(const char* field, uint16_t min, uint16_t max);

  // Records "message.field: detail" as InvalidArgument unless an error came earlier.
  void Fail(const char* field, absl::string_view detail);
  bool ok() const { return status_.ok(); }
  size_t remaining() const { return reader_.remaining(); }
  // The first error; InvalidArgument too if bytes are left over.
  absl::Status Finish();

 private:
  bool Need(const char* field, size_t count) {
    if (!ok()) return false;
    if (count > reader_.remaining()) FailTruncated(field, count);
    return ok();
  }
  void FailTruncated(const char* field, size_t count);
  void FailRange(const char* field, uint64_t value, uint64_t min, uint64_t max);
  void CheckCount(const char* field, uint64_t count, const Bounds& bounds);

  const char* message_;
  ByteReader reader_;
  absl::Status status_;
};

}  // namespace incipit::wire
