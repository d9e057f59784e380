// A tier on a simulated device with faults, and the steps that tests are made of.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "cache/nvme/nvme_tier.h"
#include "cache/runtime/sim_loop.h"
#include "cache/runtime/sync.h"
#include "cache/seams/faulty_disk.h"
#include "cache/seams/mem_disk.h"
#include "tests/cache/nvme/model_host.h"

namespace incipit::testing {

inline NvmeOptions SmallOptions() {
  NvmeOptions options;
  options.region_bytes = 256 << 10;
  options.write_buffer_bytes = 64 << 10;
  options.write_buffers = 3;
  options.read_slot_bytes = 32 << 10;
  options.read_slots = 16;
  options.recovery_depth = 3;
  return options;
}

// One machine: its contents outlive the processes (Node) that run on it.
class TierNode {
 public:
  TierNode(std::shared_ptr<MemDiskContents> contents, const NvmeOptions& options, uint64_t seed,
           const MemDiskOptions& disk_options = {.latency_ns = 80'000, .jitter_ns = 40'000})
      : random(MakeSeededRandom(seed)),
        disk(&loop, contents, disk_options),
        faulty(&loop, &disk, random.get()),
        options_(options) {}
  ~TierNode() { Exit().IgnoreError(); }

  absl::Status Open() {
    absl::StatusOr<std::unique_ptr<NvmeTier>> opened =
        loop.Run(NvmeTier::Open(&loop, &faulty, random.get(), &host, options_));
    if (!opened.ok()) return opened.status();
    tier = *std::move(opened);
    host.set_tier(tier.get());
    return absl::OkStatus();
  }
  // Gives up on a device that crashed: recovery would wait for it.
  absl::Status Start() {
    absl::Status status = Open();
    if (!status.ok()) return status;
    recovered_ = absl::UnavailableError("recovery has not ended");
    bool done = false;
    recovering_.Spawn(RecoverTask(&done));
    while (!done && !faulty.crashed() && loop.RunOnce()) {
    }
    return recovered_;
  }
  // Ends the process: orderly if the device lets it. Faults end first, so that nothing hangs.
  absl::Status Exit() {
    if (tier == nullptr) return absl::OkStatus();
    faulty.Heal();
    absl::Status status = loop.Run(tier->Shutdown(kForeverNs));
    loop.RunUntilIdle();
    tier = nullptr;
    return status;
  }

  absl::Status Put(uint64_t n, uint64_t version, uint64_t payload_bytes, uint32_t segments = 1) {
    return loop.Run(PutTask(n, version, payload_bytes, segments));
  }
  // Stores and evicts as a shard would: the block with the lowest number goes first.
  Task<absl::Status> PutTask(uint64_t n, uint64_t version, uint64_t payload_bytes, uint32_t segments) {
    TestRecord record = MakeTestRecord(n, version, payload_bytes, segments);
    while (!host.index.empty() && tier->stats().valued_bytes + record.bytes() + 2048 > tier->UsableBytes()) {
      host.Forget(host.index.begin()->first);
    }
    std::vector<iovec> pieces = record.Pieces();
    Task<absl::StatusOr<DiskLocation>> appending = tier->Append(record.entry, pieces);
    absl::StatusOr<DiskLocation> at = co_await appending;
    if (at.ok()) host.Insert(n, record, *at);
    co_return at.status();
  }
  absl::Status Remove(uint64_t n) { return loop.Run(RemoveTask(n)); }
  Task<absl::Status> RemoveTask(uint64_t n) {
    host.Forget(n);
    TestRecord record = MakeTestTombstone(n);
    std::vector<iovec> pieces = record.Pieces();
    Task<absl::StatusOr<DiskLocation>> appending = tier->Append(record.entry, pieces);
    absl::StatusOr<DiskLocation> at = co_await appending;
    co_return at.status();
  }

  // Reads block `n` whole and verifies each byte. *version gets the version found. Not ok: a miss of some kind; a
  // wrong byte that no check caught is Internal.
  absl::Status Get(uint64_t n, uint64_t* version = nullptr) { return loop.Run(GetTask(n, version)); }
  Task<absl::Status> GetTask(uint64_t n, uint64_t* version) {
    auto found = host.index.find(n);
    if (found == host.index.end()) co_return absl::NotFoundError("not in the index");
    const ModelHost::Block block = found->second;
    const std::vector<uint8_t> identity = TestIdentity(n);
    Task<absl::StatusOr<StagedRead>> reading =
        tier->Read(block.at, block.header_bytes, identity, 0, block.payload_bytes, loop.NowNs() + 60'000'000'000);
    absl::StatusOr<StagedRead> read = co_await reading;
    if (!read.ok()) co_return read.status();
    co_return CheckBytes(n, *read, 0, block.payload_bytes, version);
  }
  static absl::Status CheckBytes(uint64_t n, const StagedRead& read, uint64_t offset, uint64_t length,
                                 uint64_t* version) {
    absl::StatusOr<RecordHeader> header = DecodeRecordHeader(read.header());
    if (!header.ok()) return header.status();
    std::vector<uint8_t> got;
    for (const iovec& piece : read.payload()) {
      const auto* data = static_cast<const uint8_t*>(piece.iov_base);
      got.insert(got.end(), data, data + piece.iov_len);
    }
    uint64_t at = 0;
    for (const Segment& segment : header->segments) {
      const bool inside = at >= offset && at + segment.stored_bytes <= offset + length;
      if (inside && Xxh3Of(ByteView(got).subspan(at - offset, segment.stored_bytes)) != segment.checksum) {
        return absl::DataLossError("a segment's checksum is wrong");
      }
      at += segment.stored_bytes;
    }
    const std::vector<uint8_t> want = TestPayload(n, header->writer_id, header->StoredBytes());
    if (got.size() != length || !std::equal(got.begin(), got.end(), want.begin() + offset)) {
      return absl::InternalError("WRONG BYTES");
    }
    if (version != nullptr) *version = header->writer_id;
    return absl::OkStatus();
  }
  // Reads everything in the index; the first status that is not ok.
  absl::Status GetAll() {
    std::vector<uint64_t> numbers;
    for (const auto& [n, block] : host.index) numbers.push_back(n);
    for (const uint64_t n : numbers) {
      absl::Status status = Get(n);
      if (!status.ok()) return status;
    }
    return absl::OkStatus();
  }
  absl::Status Flush() { return loop.Run(tier->Flush()); }
  // Lets background work go on for a while.
  void Pass(int64_t ms) { loop.RunUntil(loop.NowNs() + ms * 1'000'000); }

  SimLoop loop;
  std::unique_ptr<Random> random;
  MemDisk disk;
  FaultyDisk faulty;
  ModelHost host;
  std::unique_ptr<NvmeTier> tier;

 private:
  Task<void> RecoverTask(bool* done) {
    Task<absl::Status> recovering = tier->Recover();
    recovered_ = co_await recovering;
    if (!faulty.crashed()) *done = true;
  }

  NvmeOptions options_;
  absl::Status recovered_;
  TaskScope recovering_{&loop};
};

inline std::shared_ptr<MemDiskContents> MakeContents(const NvmeOptions& options, uint32_t regions) {
  return std::make_shared<MemDiskContents>(kFirstRegionOffset + regions * options.region_bytes);
}

}  // namespace incipit::testing
