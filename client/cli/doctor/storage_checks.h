// The directory of the NVMe tier: can it be read and written past the page cache, and is there room.
#pragma once

#include <cstdint>
#include <string>

#include "client/cli/doctor/doctor_check.h"

namespace incipit {

// Opens a file there with O_DIRECT, writes 4 KiB, reads them back and compares.
DoctorCheck CheckDirectIo(const std::string& directory);

// `wanted_bytes`: size of the tier; 0 = not known, and then a small default is asked for.
DoctorCheck CheckFreeSpace(const std::string& directory, uint64_t wanted_bytes);

}  // namespace incipit
