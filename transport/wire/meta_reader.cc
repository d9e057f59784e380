#include "transport/wire/meta_reader.h"

#include "absl/strings/str_cat.h"

namespace incipit::wire {

std::string_view MetaReader::ReadText(const char* field, uint16_t min, uint16_t max) {
  const auto length = ReadCount<uint16_t>(field, {.min = min, .max = max, .what = "bytes"});
  return AsText(ReadBytes(field, length));
}

void MetaReader::Fail(const char* field, absl::string_view detail) {
  if (ok()) status_ = absl::InvalidArgumentError(absl::StrCat(message_, ".", field, ": ", detail));
}

absl::Status MetaReader::Finish() {
  if (ok() && !reader_.AtEnd()) {
    status_ = absl::InvalidArgumentError(absl::StrCat(message_, ": ", reader_.remaining(),
                                                      " bytes left over after the ", reader_.offset(), " expected"));
  }
  return status_;
}

void MetaReader::FailTruncated(const char* field, size_t count) {
  Fail(field, absl::StrCat("truncated at offset ", reader_.offset(), ": needs ", count, " bytes, ", reader_.remaining(),
                           " are left"));
}

void MetaReader::FailRange(const char* field, uint64_t value, uint64_t min, uint64_t max) {
  Fail(field, absl::StrCat("is ", value, ", allowed are ", min, " to ", max));
}

void MetaReader::CheckCount(const char* field, uint64_t count, const Bounds& bounds) {
  if (count < bounds.min) {
    return Fail(field, count == 0 ? absl::StrCat("empty: 0 ", bounds.what, ", at least ", bounds.min)
                                  : absl::StrCat(count, " ", bounds.what, ", at least ", bounds.min));
  }
  if (count > bounds.max) {
    return Fail(field, absl::StrCat(count, " ", bounds.what, ", over the limit of ", bounds.max,
                                    *bounds.advice == 0 ? "" : ": ", bounds.advice));
  }
  // Divides instead of multiplying: nothing can overflow.
  if (count > reader_.remaining() / bounds.entry_bytes) {
    Fail(field, absl::StrCat("truncated: ", count, " ", bounds.what, " need at least ", bounds.entry_bytes,
                             " bytes each, ", reader_.remaining(), " bytes are left"));
  }
}

}  // namespace incipit::wire
