// The shared regions of this process: which there are, and which of them holds an address.
#pragma once

#include <sys/uio.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "transport/owned_fd.h"
#include "transport/wire/shared_messages.h"

namespace incipit {

// Unmapped with its last user: a call in progress keeps its memory.
struct SharedMapping {
  SharedMapping(uint32_t number, uint8_t* address, uint64_t size, OwnedFd memory)
      : id(number), base(address), bytes(size), fd(std::move(memory)) {}
  ~SharedMapping();
  SharedMapping(const SharedMapping&) = delete;
  SharedMapping& operator=(const SharedMapping&) = delete;

  uint32_t id;  // unique in the process, never 0
  uint8_t* base;
  uint64_t bytes;
  OwnedFd fd;
};
using SharedMappingPtr = std::shared_ptr<const SharedMapping>;

// The process's list. Any thread; a short lock.
class SharedMappings {
 public:
  static uint32_t NewId();
  static void Add(SharedMappingPtr mapping);
  static void Remove(const SharedMapping* mapping);
  // Ascending by address. A copy of the list as it is now.
  static std::vector<SharedMappingPtr> All();
  static bool Has(uint32_t id);
};

// Says where pieces of memory lie in shared regions, as the wire wants it. One thread.
class PlaceNamer {
 public:
  PlaceNamer() : all_(SharedMappings::All()) {}
  bool HasRegions() const { return !all_.empty(); }
  // False: some of it lies in no region, or there would be too many pieces; the namer is then of no further use.
  // Neighbours become one piece.
  bool Add(std::span<const iovec> pieces);
  const wire::SharedPlaces& places() const { return places_; }
  // The regions that were named.
  std::vector<SharedMappingPtr> used() const { return used_; }

 private:
  const SharedMapping* Holder(const uint8_t* address, uint64_t bytes);
  std::vector<SharedMappingPtr> all_, used_;
  const SharedMapping* last_ = nullptr;
  wire::SharedPlaces places_;
};

}  // namespace incipit
