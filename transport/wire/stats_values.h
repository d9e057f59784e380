// The values that StatsReply begins with, with whatever else behind them.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "transport/wire/messages.h"
#include "transport/wire/meta_reader.h"

namespace incipit::wire {

inline std::vector<std::pair<std::string, uint64_t>> ReadStatsValues(MetaReader* reader) {
  constexpr size_t kMinEntryBytes = sizeof(uint16_t) + sizeof(uint64_t);
  const auto count =
      reader->ReadCount<uint32_t>("values", {.max = kMaxStatsValues, .entry_bytes = kMinEntryBytes, .what = "values"});
  std::vector<std::pair<std::string, uint64_t>> values;
  values.reserve(count);
  for (uint32_t i = 0; i < count && reader->ok(); ++i) {
    const std::string_view name = reader->ReadText("values.name", 1, kMaxNameBytes);
    const auto value = reader->Read<uint64_t>("values.value");
    values.emplace_back(name, value);
  }
  return values;
}

}  // namespace incipit::wire
