// What a shard tells the recorder of one match.
#pragma once

#include <cstdint>
#include <vector>

#include "cache/shard/namespace_table.h"
#include "cache/shard/request_recorder.h"
#include "transport/wire/messages.h"

namespace incipit {

// Of a model's groups of blocks one stands for the prompt: the first that needs all of its blocks. Without a recorder,
// or where there is no such group, it does nothing. One thread; lives for one request.
class SessionRecording {
 public:
  SessionRecording(RequestRecorder* recorder, const NamespaceTable::Info& name_space);
  void Add(const wire::KeyRef& key, const Hash128& hash) {
    if (recorder_ == nullptr || key.group != group_ || key.part != 0) return;
    blocks_.push_back({hash.low, key.depth_tokens});
  }
  void Note(uint64_t stamp_ns, int64_t now_ns) {
    if (recorder_ != nullptr) recorder_->Note({stamp_ns, name_space_, block_tokens_, blocks_}, now_ns);
  }

 private:
  RequestRecorder* recorder_ = nullptr;
  uint64_t name_space_ = 0;
  uint32_t block_tokens_ = 0;
  GroupIndex group_ = 0;
  std::vector<RecordedBlock> blocks_;
};

}  // namespace incipit
