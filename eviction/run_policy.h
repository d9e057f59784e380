// A policy that hears of many touches at once, which costs it less than one after the other.
#pragma once

#include <cstdint>
#include <span>

#include "eviction/policy.h"

namespace incipit {

// Contract, owner and thread: see Policy.
class RunPolicy : public Policy {
 public:
  // A request touches these blocks, `ids[i]` at `depths[i]`: the same as OnAccess of each in turn, victims, stamps and
  // what is learned included. Of `access`, depth, bytes and key are not looked at, nor by OnAccess of such a policy.
  // REQUIRES: all are held; as many depths as ids, each deeper than the one before; no block twice.
  virtual void OnAccessRun(std::span<const BlockId> ids, std::span<const uint32_t> depths, const Access& access) = 0;
};

}  // namespace incipit
