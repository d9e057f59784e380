#include "cache/shard/session_recording.h"

namespace incipit {

SessionRecording::SessionRecording(RequestRecorder* recorder, const NamespaceTable::Info& name_space) {
  if (recorder == nullptr || !name_space.layout.has_value()) return;
  const std::vector<GroupSpec>& groups = name_space.layout->groups;
  for (size_t group = 0; group < groups.size(); ++group) {
    if (groups[group].rule != HitRule::kAll) continue;
    recorder_ = recorder;
    name_space_ = Xxh3Of(name_space.framed);
    block_tokens_ = groups[group].block_tokens;
    group_ = static_cast<GroupIndex>(group);
    return;
  }
}

}  // namespace incipit
