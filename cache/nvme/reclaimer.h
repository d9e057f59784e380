// Keeps regions free for writing: moves what is still valued out of the least valued region and gives it a new life.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "cache/nvme/nvme_tier.h"
#include "cache/nvme/region_reader.h"
#include "cache/nvme/region_sealer.h"
#include "cache/nvme/region_stamper.h"
#include "cache/nvme/region_writer.h"

namespace incipit {

// Owner: the tier. One background task. Never stuck for space: one region is reserved for what it moves, and a
// region's valued records always fit one. Should the reserve be lost to failed writes, valued records are given up only
// while an append waits for space.
class Reclaimer {
 public:
  static constexpr uint32_t kFreeTarget = 2;

  Reclaimer(Loop* loop, Device* device, RegionTable* table, RegionStamper* stamper, RegionSealer* sealer,
            RegionWriter* writer, RegionReader* reader, NvmeTier::Host* host, uint64_t group_bytes, NvmeStats* stats);

  void Start();
  // Ends after the record being moved. The region being emptied stays as it is.
  void Stop();
  Event::Awaiter Join() { return scope_.Join(); }
  // Will a region become free without the host giving something up?
  bool CanHelp() const;

 private:
  enum class Fate : uint8_t { kPending, kMoved, kLost };
  struct Victim {
    uint32_t region = 0;
    uint64_t generation = 0;
    bool complete = false;  // `entries` are all that the region held
    std::vector<TocEntry> entries;
    std::vector<Fate> fates;
    absl::Status failure;  // of the device: give up for now
  };

  Task<void> Run();
  Task<void> Clean(uint32_t region);
  Task<void> Empty(uint32_t region);
  Task<absl::Status> ListEntries(Victim* victim);
  bool Wanted(const Victim* victim, size_t index) const;
  // Moves wanted entries from `begin` on that lie close together; gives the index after the last one looked at.
  // One read takes at most `limit_bytes`, or one record.
  Task<size_t> MoveGroup(Victim* victim, size_t begin, uint64_t limit_bytes);
  // After a failed read of several: one at a time, so that one bad page costs one record.
  Task<void> MoveSingly(Victim* victim, std::vector<size_t> group, absl::Status cause);
  Task<void> MoveOne(Victim* victim, size_t index, const WindowRead* read);
  bool IsIntact(const Victim* victim, const TocEntry& entry, const std::vector<iovec>& pieces);
  uint64_t VictimLimitBytes() const;
  // The region that is to be emptied next, if there is any use in it.
  std::optional<uint32_t> PickVictim() const;
  Task<void> Pause();

  Loop* loop_;
  Device* device_;
  RegionTable* table_;
  RegionStamper* stamper_;
  RegionSealer* sealer_;
  RegionWriter* writer_;
  RegionReader* reader_;
  NvmeTier::Host* host_;
  uint64_t group_bytes_;
  NvmeStats* stats_;
  bool busy_ = false;
  bool cleaning_ = false;
  Event stopping_;
  TaskScope scope_;
};

}  // namespace incipit
