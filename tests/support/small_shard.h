// Options of a shard with little of everything, for tests in virtual time.
#pragma once

#include "cache/shard/shard_options.h"

namespace incipit::testing {

// 4 MiB of RAM; where it has a device, regions of 128 KiB.
inline ShardOptions SmallShard() {
  ShardOptions options;
  options.store.ram_bytes = 4 << 20;
  options.store.touch_ram = false;
  options.nvme.region_bytes = 128 << 10;
  options.nvme.write_buffer_bytes = 64 << 10;
  options.nvme.write_buffers = 2;
  options.nvme.read_slot_bytes = 32 << 10;
  options.nvme.read_slots = 8;
  return options;
}

}  // namespace incipit::testing
