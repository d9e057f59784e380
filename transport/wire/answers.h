// The answers to a batch on the wire: a count, then one byte each. Any thread; no state.
#pragma once

#include <cstring>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cache/base/byte_writer.h"
#include "transport/wire/frame.h"
#include "transport/wire/meta_reader.h"

namespace incipit::wire {

template <typename Enum>
void EncodeAnswers(const std::vector<Enum>& answers, std::vector<uint8_t>* out) {
  static_assert(sizeof(Enum) == 1);
  ByteWriter writer(out);
  writer.Write(static_cast<uint32_t>(answers.size()));
  writer.WriteBytes({reinterpret_cast<const uint8_t*>(answers.data()), answers.size()});
}

// `min` to kMaxBatchKeys answers with values of 0 to `last`; on failure the reader holds the error.
template <typename Enum>
void DecodeAnswers(MetaReader* reader, const char* field, Enum last, std::vector<Enum>* answers, uint32_t min = 1) {
  const auto count = reader->ReadCount<uint32_t>(field, {.min = min, .max = kMaxBatchKeys, .what = "answers"});
  const ByteView bytes = reader->ReadBytes(field, count);
  if (!reader->ok() || count == 0) return;
  answers->resize(count);
  std::memcpy(answers->data(), bytes.data(), bytes.size());
  for (const Enum answer : *answers) {
    if (answer <= last) continue;
    return reader->Fail(field,
                        absl::StrCat("is ", static_cast<int>(answer), ", allowed are 0 to ", static_cast<int>(last)));
  }
}

}  // namespace incipit::wire
