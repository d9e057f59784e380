// Requests that no right client would send, each with the answer it deserves.
#pragma once

#include <string>
#include <vector>

#include "tests/processes/bad_peer.h"

namespace incipit::campaign {

struct BadCase {
  std::string name;
  bool greeted = true;  // said Hello and opened a namespace of BadLayout() first
  Bytes bytes;
  enum Answer { kError, kErrorOrClosed, kRejected } answer = kError;  // kRejected: a status reply that says so
  bool cut_short = false;                                             // stops sending afterwards
};

// One group, blocks of 4 KiB in four segments.
Layout BadLayout();
std::vector<BadCase> BadCases();
// A right request of each kind, with payload where it has one: what random damage is done to.
std::vector<Bytes> RightRequests();

}  // namespace incipit::campaign
