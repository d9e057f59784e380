// One GetMap: answers with the cluster's map, at once or when there is a newer one than the client has.
#pragma once

#include <cstdint>

#include "cache/shard/session.h"
#include "transport/wire/map_messages.h"

namespace incipit {

// Lives as long as its task. One thread: the shard's. Copies no map: all answers of an epoch send the same bytes.
class MapWatch {
 public:
  MapWatch(Session* session, uint64_t request_id, const wire::GetMap& request);

  // Until the answer is sent, which may be long after its time if the client takes no bytes.
  Task<void> Run();
  void Look() { wake_.Set(); }  // there may be a newer map
  void Stop();                  // answers now with what there is; does not wait for it
  Event* ended() { return &ended_; }

 private:
  bool HasNews() const;

  Session* session_;
  Shard* shard_;
  uint64_t request_id_;
  uint64_t known_epoch_;
  int64_t deadline_ns_;
  bool stopped_ = false;
  Event wake_, ended_;
};

}  // namespace incipit
