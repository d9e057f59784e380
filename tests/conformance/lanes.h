// The lanes that the suite runs on.
#pragma once

#include <ostream>

#include "tests/conformance/lane.h"

namespace incipit::conformance {

std::unique_ptr<Lane> MakeMemLane();
std::unique_ptr<Lane> MakeTcpLane();
std::unique_ptr<Lane> MakeUnixLane();
std::unique_ptr<Lane> MakeUnixSharedMemoryLane();
std::unique_ptr<Lane> MakeUcxLane();

struct LaneCase {
  const char* name;
  std::unique_ptr<Lane> (*make)();
  friend void PrintTo(const LaneCase& lane, std::ostream* out) { *out << lane.name; }
};

inline constexpr LaneCase kLanes[] = {
    {"mem", MakeMemLane},   {"tcp", MakeTcpLane},
    {"unix", MakeUnixLane}, {"unix_shared_memory", MakeUnixSharedMemoryLane},
    {"ucx", MakeUcxLane},
};

}  // namespace incipit::conformance
