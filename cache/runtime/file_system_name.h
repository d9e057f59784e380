// Names of file systems, for messages.
#pragma once

#include <cstdint>
#include <string>

namespace incipit {

// By the magic number that statfs gives: "ext4", "tmpfs"; "type 0x..." for one not in the table. Any thread.
std::string FileSystemName(uint64_t magic);

}  // namespace incipit
