// What every campaign takes from its environment: how much to do and from which seed.
#pragma once

#include <cstdint>
#include <cstdlib>

namespace incipit::testing {

inline uint64_t FromEnvironment(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr || *text == '\0' ? otherwise : std::strtoull(text, nullptr, 10);
}

inline uint64_t CampaignCount(uint64_t otherwise) { return FromEnvironment("INCIPIT_CAMPAIGN_COUNT", otherwise); }
inline uint64_t CampaignSeed() { return FromEnvironment("INCIPIT_SEED", 1); }

}  // namespace incipit::testing
