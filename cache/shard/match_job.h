// One Match: what is here at once, what another node may still have after asking it. Policies and curves hear of the
// use once the answer is on its way: nobody waits for them.
#pragma once

#include <cstdint>
#include <vector>

#include "cache/shard/session.h"
#include "cache/shard/shard_peers.h"

namespace incipit {

// Lives as long as its task. One thread: the shard's.
class MatchJob {
 public:
  MatchJob(Session* session, uint64_t request_id);

  // Looks every key up and pins what is here. The error answers the request.
  absl::Status Look(ByteView meta);
  // Whether some of what is missing is to be asked for elsewhere: Run() then takes a while.
  bool AsksPeers() const { return !elsewhere_.empty(); }
  Task<void> Run();

 private:
  struct Hit {
    BlockId id = 0;
    uint64_t hash = 0;  // by which the block is known again
  };
  void LookUp(const wire::Match& match, NamespaceId name_space);
  void GrantLease();
  void MarkHot(size_t keys, size_t index, BlockId id);
  void KeepMissing(const wire::Match& match, ByteView meta);
  Task<void> AskPeers();
  void NoteUse();

  Session* session_;
  Shard* shard_;
  uint64_t request_id_;
  int64_t received_ns_;
  NamespaceId name_space_ = 0;
  uint32_t lease_ms_ = 0;
  uint64_t stamp_ns_ = 0;
  wire::MatchReply reply_;
  std::vector<Hit> hits_;
  std::vector<uint64_t> used_;           // hashes of all keys, here or not
  std::vector<uint32_t> missing_;        // that another node may have
  std::vector<wire::KeyRef> elsewhere_;  // their keys, views of meta_
  std::vector<uint8_t> meta_;
};

}  // namespace incipit
