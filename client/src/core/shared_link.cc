#include "client/src/core/shared_link.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>

#include "cache/runtime/sync.h"

namespace incipit {
namespace {

constexpr int64_t kFirstLookNs = 20'000;
constexpr int64_t kMaxLookNs = 1'000'000;
// No region of the process has this number.
constexpr uint32_t kControlRegionId = 0;

SharedMappingPtr MakeControlPage() {
  OwnedFd fd(memfd_create("incipit-control", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd.valid() || ftruncate(fd.get(), kControlBytes) != 0) return nullptr;
  if (fcntl(fd.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) return nullptr;
  void* base = mmap(nullptr, kControlBytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
  if (base == MAP_FAILED) return nullptr;
  return std::make_shared<const SharedMapping>(kControlRegionId, static_cast<uint8_t*>(base), kControlBytes,
                                               std::move(fd));
}

}  // namespace

std::shared_ptr<SharedLink> SharedLink::Create() {
  SharedMappingPtr page = MakeControlPage();
  int ends[2] = {-1, -1};
  if (page == nullptr || pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return nullptr;
  return std::shared_ptr<SharedLink>(new SharedLink(std::move(page), OwnedFd(ends[0]), OwnedFd(ends[1])));
}

SharedLink::SharedLink(SharedMappingPtr page, OwnedFd pipe_reader, OwnedFd pipe_writer)
    : page_(std::move(page)),
      pipe_reader_(std::move(pipe_reader)),
      pipe_writer_(std::make_shared<OwnedFd>(std::move(pipe_writer))) {
  for (uint32_t slot = kControlWords; slot > 0; --slot) free_slots_.push_back(slot - 1);
}

SharedLink::~SharedLink() = default;

std::vector<SharedLink::Registration> SharedLink::Register(const std::vector<SharedMappingPtr>& regions) {
  std::vector<Registration> registrations;
  if (pipe_writer_ != nullptr) {
    Registration& control = registrations.emplace_back();
    control.message = {kControlRegionId, wire::RegionKind::kControl, kControlBytes};
    control.descriptors = {page_->fd.get(), pipe_writer_->get()};
    // From here on only the shard holds the writing end: the pipe ends when the shard does.
    using Kept = std::pair<SharedMappingPtr, std::shared_ptr<const OwnedFd>>;
    control.keep = std::make_shared<const Kept>(page_, std::exchange(pipe_writer_, nullptr));
  }
  for (const SharedMappingPtr& region : regions) {
    if (!registered_.insert(region->id).second) continue;
    Registration& memory = registrations.emplace_back();
    memory.message = {region->id, wire::RegionKind::kMemory, region->bytes};
    memory.descriptors = {region->fd.get()};
    memory.keep = region;
  }
  return registrations;
}

std::vector<uint32_t> SharedLink::Forget() {
  std::vector<uint32_t> gone;
  for (const uint32_t id : registered_) {
    if (!SharedMappings::Has(id)) gone.push_back(id);
  }
  for (const uint32_t id : gone) registered_.erase(id);
  return gone;
}

void SharedLink::Refuse(const std::vector<SharedMappingPtr>& regions) {
  for (const SharedMappingPtr& region : regions) refused_.insert(region->id);
}

bool SharedLink::Accepts(const std::vector<SharedMappingPtr>& regions) const {
  return std::none_of(regions.begin(), regions.end(),
                      [this](const SharedMappingPtr& region) { return refused_.contains(region->id); });
}

std::optional<uint32_t> SharedLink::TakeSlot(uint64_t request_id) {
  if (free_slots_.empty()) return std::nullopt;
  const uint32_t slot = free_slots_.back();
  free_slots_.pop_back();
  slots_[request_id] = slot;
  OpenForCopies(Word(slot));
  return slot;
}

void SharedLink::FreeSlot(uint64_t request_id) {
  const auto found = slots_.find(request_id);
  if (found == slots_.end()) return;
  free_slots_.push_back(found->second);
  slots_.erase(found);
}

// The pipe carries nothing: it is at its end or it would block.
bool SharedLink::ShardIsGone() const {
  char byte = 0;
  return read(pipe_reader_.get(), &byte, 1) == 0;
}

Task<void> SharedLink::Revoke(std::shared_ptr<SharedLink> link, Loop* loop, uint64_t request_id) {
  const auto found = link->slots_.find(request_id);
  if (found == link->slots_.end()) co_return;
  ControlWord* word = link->Word(found->second);
  if (RevokeCopies(word)) co_return;
  for (int64_t pause_ns = kFirstLookNs; !CopiesSettled(word) && !link->ShardIsGone();
       pause_ns = std::min(2 * pause_ns, kMaxLookNs)) {
    co_await SleepUntil(loop, loop->NowNs() + pause_ns);
  }
}

}  // namespace incipit
