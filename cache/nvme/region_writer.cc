#include "cache/nvme/region_writer.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "cache/nvme/store_superblock.h"

namespace incipit {
namespace {

// A partly filled buffer is written when nothing was added for the first time, or was begun the second time ago.
constexpr int64_t kIdleFlushNs = 2'000'000;
constexpr int64_t kMaxHoldNs = 20'000'000;
constexpr size_t kMaxSealing = 2;  // regions sealed at once; bounds the entry lists in memory
constexpr uint8_t kZeros[kRecordAlign] = {};

// The first `bytes` bytes of the pieces.
std::vector<uint8_t> Gather(std::span<const iovec> pieces, size_t bytes) {
  std::vector<uint8_t> out;
  out.reserve(bytes);
  for (const iovec& piece : pieces) {
    const auto* data = static_cast<const uint8_t*>(piece.iov_base);
    out.insert(out.end(), data, data + std::min(piece.iov_len, bytes - out.size()));
  }
  return out;
}

}  // namespace

RegionWriter::RegionWriter(Loop* loop, Device* device, RegionTable* table, RegionStamper* stamper, RegionSealer* sealer,
                           const NvmeOptions& options)
    : loop_(loop),
      device_(device),
      table_(table),
      stamper_(stamper),
      sealer_(sealer),
      buffers_(loop, options.write_buffers, options.write_buffer_bytes),
      idle_timer_(this),
      place_lock_(loop, 1),
      scope_(loop) {}

Task<absl::StatusOr<DiskLocation>> RegionWriter::Append(TocEntry* entry, std::span<const iovec> pieces,
                                                        const AppendRules* rules) {
  AppendWaiter waiter(loop_);
  waiter.record_bytes = entry->RecordBytes();
  waiter.tombstone = entry->kind == RecordKind::kTombstone;
  co_await place_lock_.Acquire(1);
  absl::Status status = co_await MakeRoom(entry, rules->for_reclaim);
  if (status.ok() && rules->still_wanted && !rules->still_wanted())
    status = absl::CancelledError("not wanted any more");
  DiskLocation location;
  if (status.ok()) {
    location.region = log_->region;
    location.offset = static_cast<uint32_t>(log_->position);
    status = co_await Place(&waiter, entry, pieces, rules->for_reclaim);
  }
  place_lock_.Release(1);
  if (status.ok()) {
    StartIdleTimer();
    co_await waiter.done.Wait();
    status = waiter.status;
  }
  // A slow device is an unavailable one to those who append.
  if (absl::IsDeadlineExceeded(status)) status = absl::UnavailableError(status.message());
  if (!status.ok()) co_return status;
  co_return location;
}

RegionWriter::Room RegionWriter::FindRoom(const TocEntry& entry, bool for_reclaim) const {
  const uint32_t free = table_->free_count();
  if (log_ != nullptr && log_->failure.ok() && log_->HasRoomFor(entry, table_->region_bytes())) {
    // The reserve is reclaim's alone until reclaim has given a region back.
    return log_->from_reserve && free == 0 && !for_reclaim ? Room::kWait : Room::kHere;
  }
  return free > (for_reclaim ? 0u : 1u) ? Room::kOpenNext : Room::kWait;
}

Task<absl::Status> RegionWriter::MakeRoom(const TocEntry* entry, bool for_reclaim) {
  struct Waiting {  // while it is, reclaim may give up records that it finds no place for
    ~Waiting() {
      if (count != nullptr) --*count;
    }
    uint32_t* count = nullptr;
  } waiting;
  while (true) {
    if (closed_) co_return absl::UnavailableError("nvme is shutting down");
    if (!device_->health().serving()) co_return device_->health().Refusal();
    if (log_ != nullptr && !log_->failure.ok()) LeaveRegion();
    const Room room = FindRoom(*entry, for_reclaim);
    if (room == Room::kHere) co_return absl::OkStatus();
    if (room == Room::kOpenNext) {
      absl::Status opened = co_await OpenNext();
      if (!opened.ok()) co_return opened;
      continue;
    }
    if (for_reclaim || !reclaim_can_help_()) {
      co_return absl::ResourceExhaustedError(
          absl::StrCat("nvme: no free region, and none of ", table_->count(), " can be reclaimed: too much is valued"));
    }
    if (waiting.count == nullptr) {
      waiting.count = &waiting_for_space_;
      ++waiting_for_space_;
      table_->changed().NotifyAll();
    }
    // Reclaim appends too, so the lock must not be held while waiting for it.
    place_lock_.Release(1);
    co_await table_->changed().Wait();
    co_await place_lock_.Acquire(1);
  }
}

Task<absl::Status> RegionWriter::OpenNext() {
  if (log_ != nullptr) LeaveRegion();
  while (sealer_->running() >= kMaxSealing && device_->health().serving()) co_await table_->changed().Wait();
  const uint32_t region = table_->TakeFree();
  uint64_t generation = table_->At(region).generation;
  if (!table_->At(region).stamped) {
    absl::StatusOr<uint64_t> stamped = co_await stamper_->Stamp(region);
    if (!stamped.ok()) {
      table_->Abandon(region);
      co_return stamped.status();
    }
    generation = *stamped;
  }
  table_->SetGeneration(region, generation);
  log_ = std::make_shared<RegionLog>();
  log_->region = region;
  log_->generation = generation;
  log_->from_reserve = table_->free_count() == 0;
  co_return absl::OkStatus();
}

void RegionWriter::LeaveRegion() {
  SubmitChunk();
  last_ = nullptr;
  sealer_->Start(std::exchange(log_, nullptr));
}

Task<absl::Status> RegionWriter::Place(AppendWaiter* waiter, TocEntry* entry, std::span<const iovec> pieces,
                                       bool keep_sequence) {
  std::shared_ptr<RegionLog> log = log_;
  if (!keep_sequence) entry->sequence = next_sequence_++;
  entry->offset = static_cast<uint32_t>(log->position);
  log->toc_bytes += entry->EncodedBytes();
  log->entries.push_back(*entry);
  std::vector<uint8_t> header = Gather(pieces, entry->header_bytes);
  RestampRecordHeader(header, entry->sequence, log->generation, entry->stamp_ns);
  absl::Status status = co_await CopyIn(log, header);
  size_t skip = header.size();
  for (const iovec& piece : pieces) {
    const size_t skipped = std::min(skip, piece.iov_len);
    skip -= skipped;
    const ByteView rest{static_cast<const uint8_t*>(piece.iov_base) + skipped, piece.iov_len - skipped};
    if (status.ok() && !rest.empty()) status = co_await CopyIn(log, rest);
  }
  const ByteView padding{kZeros, AlignUp(entry->RecordBytes(), kRecordAlign) - entry->RecordBytes()};
  if (status.ok() && !padding.empty()) status = co_await CopyIn(log, padding);
  if (!status.ok()) {
    Fail(log.get(), status);  // a record cut short: nothing may follow it
    co_return status;
  }
  chunk_->waiters.push_back(waiter);
  if (chunk_->filled == buffers_.bytes_each()) SubmitChunk();
  co_return absl::OkStatus();
}

// Leaves a full buffer to whoever adds the next byte, or to Place: the last one must still be there for its waiter.
Task<absl::Status> RegionWriter::CopyIn(std::shared_ptr<RegionLog> log, ByteView bytes) {
  while (!bytes.empty()) {
    if (chunk_ != nullptr && chunk_->filled == buffers_.bytes_each()) SubmitChunk();
    if (chunk_ == nullptr) {
      absl::Status status = co_await NewChunk(log.get());
      if (!status.ok()) co_return status;
    }
    const size_t count = std::min<size_t>(bytes.size(), buffers_.bytes_each() - chunk_->filled);
    std::memcpy(chunk_->buffer.bytes().data() + chunk_->filled, bytes.data(), count);
    chunk_->filled += count;
    log->position += count;
    bytes = bytes.subspan(count);
  }
  co_return absl::OkStatus();
}

Task<absl::Status> RegionWriter::NewChunk(RegionLog* log) {
  while (buffers_.empty() && log->failure.ok() && device_->health().serving()) co_await buffers_.returned().Wait();
  if (!log->failure.ok()) co_return log->failure;
  if (!device_->health().serving()) co_return device_->health().Refusal();
  const uint64_t start = AlignDown(log->position, kDiskPageBytes);
  chunk_ = std::make_shared<WriteChunk>(loop_, table_, log_, buffers_.Take(), start);
  chunk_->filled = log->position - start;
  if (chunk_->filled > 0) {
    std::memcpy(chunk_->buffer.bytes().data(), tail_page_.data(), chunk_->filled);
    chunk_->shares_page_with = last_;
  }
  chunk_started_ns_ = loop_->NowNs();
  co_return absl::OkStatus();
}

void RegionWriter::StartIdleTimer() {
  if (chunk_ == nullptr || chunk_->waiters.empty()) return;
  loop_->StartTimer(&idle_timer_, std::min(loop_->NowNs() + kIdleFlushNs, chunk_started_ns_ + kMaxHoldNs));
}

void RegionWriter::SubmitChunk() {
  loop_->CancelTimer(&idle_timer_);
  if (chunk_ == nullptr) return;
  const uint64_t pages_end = AlignUp(chunk_->filled, kDiskPageBytes);
  uint8_t* data = chunk_->buffer.bytes().data();
  std::memset(data + chunk_->filled, 0, pages_end - chunk_->filled);
  const uint64_t tail_bytes = chunk_->filled % kDiskPageBytes;
  if (tail_bytes > 0) std::memcpy(tail_page_.data(), data + chunk_->filled - tail_bytes, tail_bytes);
  chunk_->log->in_flight.push_back(chunk_);
  last_ = chunk_;
  scope_.Spawn(WriteOut(std::exchange(chunk_, nullptr)));
}

Task<void> RegionWriter::WriteOut(std::shared_ptr<WriteChunk> chunk) {
  if (chunk->shares_page_with != nullptr) {
    std::shared_ptr<WriteChunk> before = std::exchange(chunk->shares_page_with, nullptr);
    if (!before->ended) co_await before->done.Wait();
  }
  std::shared_ptr<RegionLog> log = chunk->log;
  chunk->status = log->failure;
  if (chunk->status.ok()) {
    const uint64_t at = RegionStart(log->region, table_->region_bytes()) + chunk->start;
    const ByteView pages = chunk->buffer.bytes().first(AlignUp(chunk->filled, kDiskPageBytes));
    DeviceOpRef write = device_->StartWrite(at, pages, chunk);
    co_await write->done.Wait();
    chunk->status = write->status;
  }
  chunk->ended = true;
  chunk->done.Set();
  if (last_ == chunk) last_ = nullptr;
  chunk = nullptr;
  Acknowledge(log.get());
}

void RegionWriter::Acknowledge(RegionLog* log) {
  while (!log->in_flight.empty() && log->in_flight.front()->ended) {
    std::shared_ptr<WriteChunk> chunk = log->in_flight.front();
    if (!chunk->status.ok()) Fail(log, chunk->status);
    log->in_flight.pop_front();
    if (!log->failure.ok()) continue;
    log->written_end = chunk->End();
    for (AppendWaiter* waiter : chunk->waiters) {
      if (waiter->tombstone) {
        table_->AddTombstone(log->region, waiter->record_bytes);
      } else {
        table_->AddLive(log->region, waiter->record_bytes);
      }
      waiter->done.Set();
    }
    chunk->waiters.clear();
  }
  table_->changed().NotifyAll();
}

void RegionWriter::Fail(RegionLog* log, const absl::Status& status) {
  if (!log->failure.ok()) return;
  log->failure = status;
  auto fail_waiters = [&](WriteChunk* chunk) {
    for (AppendWaiter* waiter : chunk->waiters) {
      waiter->status = log->failure;
      waiter->done.Set();
    }
    chunk->waiters.clear();
  };
  for (const std::shared_ptr<WriteChunk>& chunk : log->in_flight) fail_waiters(chunk.get());
  if (chunk_ != nullptr && chunk_->log.get() == log) {
    fail_waiters(chunk_.get());
    loop_->CancelTimer(&idle_timer_);
    chunk_ = nullptr;
  }
  Wake();
}

void RegionWriter::Wake() {
  buffers_.returned().NotifyAll();
  table_->changed().NotifyAll();
}

Task<absl::Status> RegionWriter::Drain() {
  co_await place_lock_.Acquire(1);
  SubmitChunk();
  std::shared_ptr<RegionLog> log = log_;
  const uint64_t target = log == nullptr ? 0 : log->position;
  place_lock_.Release(1);
  if (log == nullptr) co_return absl::OkStatus();
  while (log->failure.ok() && log->written_end < target) co_await table_->changed().Wait();
  co_return log->failure;
}

Task<void> RegionWriter::Close() {
  closed_ = true;
  table_->changed().NotifyAll();
  co_await place_lock_.Acquire(1);
  if (log_ != nullptr) LeaveRegion();
  place_lock_.Release(1);
  co_await scope_.Join();
  co_await sealer_->Join();
}

}  // namespace incipit
