// What `incipit doctor` says of one thing: found, and what to change. Plain data.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace incipit {

enum class DoctorStatus : uint8_t {
  kOk = 0,
  kWarn = 1,  // works, but slower or smaller than it could
  kFail = 2,  // a node cannot run as asked until this is changed
};

struct DoctorCheck {
  std::string name;  // stable: scripts look it up in the JSON form
  DoctorStatus status = DoctorStatus::kOk;
  std::string found;
  std::string advice;      // the exact command or setting; empty if there is nothing to change
  nlohmann::json details;  // an object of numbers and names; its keys are stable too
};

}  // namespace incipit
