#include "cache/runtime/file_system_name.h"

#include "absl/strings/str_cat.h"

namespace incipit {
namespace {

struct KnownFileSystem {
  uint64_t magic;
  const char* name;
};
constexpr KnownFileSystem kFileSystems[] = {
    {0xEF53, "ext4"},         {0x58465342, "xfs"},     {0x9123683E, "btrfs"}, {0x01021994, "tmpfs"},
    {0x858458F6, "ramfs"},    {0x794C7630, "overlay"}, {0x2FC12FC1, "zfs"},   {0xF2F52010, "f2fs"},
    {0xCA451A4E, "bcachefs"}, {0x6969, "nfs"},         {0x65735546, "fuse"},  {0x01021997, "9p"},
};

}  // namespace

std::string FileSystemName(uint64_t magic) {
  for (const KnownFileSystem& known : kFileSystems) {
    if (known.magic == magic) return known.name;
  }
  return absl::StrCat("type 0x", absl::Hex(magic));
}

}  // namespace incipit
