// The cluster's map as a shard gives it to clients: made once for each epoch, then shared by all shards and sessions.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "transport/wire/map_messages.h"

namespace incipit {

// Immutable, so any thread may read it. What the map says is no business of a shard.
struct PublishedMap {
  uint64_t epoch = 0;
  std::vector<uint8_t> reply;  // meta of the MapReply that carries the map
};
using PublishedMapRef = std::shared_ptr<const PublishedMap>;

// REQUIRES: epoch > 0, json is at most wire::kMaxMapBytes.
inline PublishedMapRef MakePublishedMap(uint64_t epoch, std::string_view json) {
  auto map = std::make_shared<PublishedMap>();
  map->epoch = epoch;
  wire::MapReply{.epoch = epoch, .map = json}.Encode(&map->reply);
  return map;
}

}  // namespace incipit
