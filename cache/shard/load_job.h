// One Load request on its way: RAM hits go out in chunks, NVMe hits as they arrive from the device, misses at once.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "cache/runtime/sync.h"
#include "cache/shard/load_target.h"
#include "cache/shard/session.h"
#include "transport/wire/messages.h"

namespace incipit {

// Owned by its session's scope. One thread: the shard's.
class LoadJob {
 public:
  // `shared`: the meta names memory of the client that the bytes go to, rather than to its socket.
  LoadJob(Session* session, uint64_t request_id, std::vector<uint8_t> meta, bool shared, int64_t received_ns);

  // Decodes and checks. The error answers the request.
  absl::Status Prepare();
  // Bytes the answer will carry if every block hits.
  uint64_t expected_bytes() const { return expected_bytes_; }
  // Answers every key exactly once; the frame with the last one is flagged. After a failed send it only cleans up.
  Task<void> Run();

 private:
  // A reply frame in the making, with what keeps its payload in place.
  struct Reply {
    wire::LoadReply message;
    std::vector<iovec> payload;
    std::vector<RamReadGuard> guards;
    uint64_t bytes = 0;
    bool in_frame = false;  // of a shared load: the payload comes in the frame all the same
  };
  absl::Status DecodeMeta(wire::SharedPlaces* places);
  bool Expired() const;
  // Whether a block's bytes fit the place that the client gave it.
  bool FitsPlace(uint32_t index, uint64_t length) const {
    return !target_.has_value() || target_->BytesOf(index) == length;
  }
  // Of a shared load, what is not raw comes in a frame: the client has yet to decode it. False: not in this one, which
  // has other hits already.
  bool ChooseWay(Codec codec, Reply* reply) const;
  Task<void> PlaceShared(Reply* reply);
  // False: send what is in the reply first.
  bool AddRamHit(uint32_t index, BlockId id, Reply* reply);
  void AddFailure(uint32_t index, wire::BlockStatus status, Reply* reply);
  Task<void> SendRamAndMisses();
  Task<void> SendFromNvme(uint32_t index);
  bool MayBeElsewhere(uint32_t index) const;
  Task<void> SendFromPeers();
  // Blocks [first, end) of elsewhere_.
  Task<void> TakeOverAndSend(size_t first, size_t end);
  // REQUIRES: the session's send lock is held.
  Task<void> Send(Reply* reply);
  void SetSegments(const RecordHeader& header, wire::LoadedBlock* block, uint64_t* offset, uint64_t* length) const;

  Session* session_;
  Shard* shard_;
  BlockStore* store_;
  uint64_t request_id_;
  bool shared_;
  std::vector<uint8_t> meta_;  // the keys of request_ are views into it
  int64_t received_ns_;
  int64_t deadline_ns_ = 0;
  wire::Load request_;
  NamespaceId name_space_ = 0;
  uint64_t stamp_ns_ = 0;
  uint64_t expected_bytes_ = 0;
  uint64_t unsent_bytes_ = 0;
  size_t unanswered_ = 0;
  bool failed_ = false;
  bool revoked_ = false;  // the client took back the memory that it offered
  std::optional<LoadTarget> target_;
  std::vector<uint32_t> on_nvme_;
  std::vector<uint32_t> elsewhere_;  // missed here; another node may have them
  Semaphore nvme_reads_;             // what the device works on
  Semaphore nvme_blocks_;  // also those that are read and wait for their turn to be sent: the device goes on meanwhile
};

}  // namespace incipit
