#include "client/src/shared_mapping.h"

#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <mutex>

namespace incipit {
namespace {

// Lives as long as the process: regions may be destroyed by destructors of static objects.
struct List {
  std::mutex mutex;
  std::vector<SharedMappingPtr> mappings;  // ascending by address
};
List& Process() {
  static List* list = new List();
  return *list;
}

}  // namespace

SharedMapping::~SharedMapping() { munmap(base, bytes); }

uint32_t SharedMappings::NewId() {
  static std::atomic<uint32_t> last{0};
  return ++last;
}

void SharedMappings::Add(SharedMappingPtr mapping) {
  List& list = Process();
  const std::lock_guard<std::mutex> lock(list.mutex);
  const auto after = std::upper_bound(list.mappings.begin(), list.mappings.end(), mapping,
                                      [](const auto& a, const auto& b) { return a->base < b->base; });
  list.mappings.insert(after, std::move(mapping));
}

void SharedMappings::Remove(const SharedMapping* mapping) {
  List& list = Process();
  const std::lock_guard<std::mutex> lock(list.mutex);
  std::erase_if(list.mappings, [mapping](const SharedMappingPtr& other) { return other.get() == mapping; });
}

std::vector<SharedMappingPtr> SharedMappings::All() {
  List& list = Process();
  const std::lock_guard<std::mutex> lock(list.mutex);
  return list.mappings;
}

bool SharedMappings::Has(uint32_t id) {
  List& list = Process();
  const std::lock_guard<std::mutex> lock(list.mutex);
  return std::any_of(list.mappings.begin(), list.mappings.end(),
                     [id](const SharedMappingPtr& mapping) { return mapping->id == id; });
}

const SharedMapping* PlaceNamer::Holder(const uint8_t* address, uint64_t bytes) {
  const auto holds = [&](const SharedMapping* mapping) {
    return address >= mapping->base && bytes <= mapping->bytes &&
           static_cast<uint64_t>(address - mapping->base) <= mapping->bytes - bytes;
  };
  if (last_ != nullptr && holds(last_)) return last_;
  const auto after = std::upper_bound(all_.begin(), all_.end(), address,
                                      [](const uint8_t* at, const auto& mapping) { return at < mapping->base; });
  if (after == all_.begin() || !holds(std::prev(after)->get())) return nullptr;
  last_ = std::prev(after)->get();
  const bool known = std::any_of(used_.begin(), used_.end(), [this](const auto& used) { return used.get() == last_; });
  if (!known) used_.push_back(*std::prev(after));
  return last_;
}

bool PlaceNamer::Add(std::span<const iovec> pieces) {
  for (const iovec& piece : pieces) {
    const auto* address = static_cast<const uint8_t*>(piece.iov_base);
    const SharedMapping* holder = piece.iov_len == 0 ? nullptr : Holder(address, piece.iov_len);
    if (piece.iov_len == 0) continue;
    if (holder == nullptr || piece.iov_len > UINT32_MAX) return false;
    const auto offset = static_cast<uint64_t>(address - holder->base);
    wire::RegionRef* before = places_.pieces.empty() ? nullptr : &places_.pieces.back();
    if (before != nullptr && before->region_id == holder->id && before->offset + before->bytes == offset &&
        piece.iov_len <= UINT32_MAX - before->bytes) {
      before->bytes += static_cast<uint32_t>(piece.iov_len);
      continue;
    }
    if (places_.pieces.size() >= wire::kMaxRegionRefs) return false;
    places_.pieces.push_back({holder->id, static_cast<uint32_t>(piece.iov_len), offset});
  }
  return true;
}

}  // namespace incipit
