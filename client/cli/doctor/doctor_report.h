// The two forms of a doctor's report: a table for people, JSON for scripts. Pure.
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "client/cli/doctor/doctor_check.h"

namespace incipit {

// "ok", "warn" or "fail".
const char* DoctorStatusName(DoctorStatus status);

// True if no check failed; warnings do not count.
bool DoctorPassed(const std::vector<DoctorCheck>& checks);

// Aligned columns: status, name, found; the advice on a line of its own; one closing line of counts.
std::string RenderDoctorText(const std::vector<DoctorCheck>& checks);

// {"ok": bool, "checks": [{"name", "status", "found", "advice", "details"}]}, in the order of `checks`.
nlohmann::json RenderDoctorJson(const std::vector<DoctorCheck>& checks);

}  // namespace incipit
