#include "cache/ram/buddy_pool.h"

#include <bit>
#include <cstring>
#include <limits>
#include <string>

#include "absl/strings/str_cat.h"
#include "cache/base/check.h"
#include "cache/ram/poison.h"

namespace incipit {
namespace {

constexpr uint32_t kNoUnit = std::numeric_limits<uint32_t>::max();

uint32_t UnitsOf(int order) { return 1u << order; }
uint64_t BytesOfOrder(int order) { return kArenaUnitBytes << order; }

constexpr char kOverwritten[] = "free memory was written to";

std::string Describe(const char* what, uint32_t unit, int order) {
  return absl::StrCat(what, ": arena block at unit ", unit, " of order ", order);
}

}  // namespace

BuddyPool::BuddyPool(uint8_t* base, uint64_t bytes) : base_(base), units_(bytes / kArenaUnitBytes) {
  INCIPIT_CHECK(bytes % BytesOfOrder(kMaxExtentOrder) == 0 && units_ <= kNoUnit,
                "the memory is no multiple of the largest block, or over the range of 32-bit units");
  heads_.fill(kNoUnit);
  for (int order = 0; order < kOrders; ++order) free_bits_[order].resize(((units_ >> order) + 63) / 64);
  largest_links_.resize(units_ >> kMaxExtentOrder);
  PoisonMemory(base_, bytes);
  // Pushed from the end, so that low addresses go out first.
  for (uint64_t unit = units_; unit > 0;) {
    unit -= UnitsOf(kMaxExtentOrder);
    Push(static_cast<uint32_t>(unit), kMaxExtentOrder);
  }
  free_units_ = units_;
}

BuddyPool::~BuddyPool() { UnpoisonMemory(base_, units_ * kArenaUnitBytes); }

Extent BuddyPool::TakeAtMost(int order) {
  INCIPIT_CHECK(orders_with_free_ != 0, "take from an empty pool");
  const uint32_t fitting = orders_with_free_ >> order << order;
  int found = fitting != 0 ? std::countr_zero(fitting) : std::bit_width(orders_with_free_) - 1;
  const uint32_t unit = heads_[found];
  Unlink(unit, found);
  while (found > order) {
    --found;
    Push(unit + UnitsOf(found), found);
  }
  free_units_ -= UnitsOf(found);
  UnpoisonMemory(base_ + unit * kArenaUnitBytes, BytesOfOrder(found));
  return Extent{unit, static_cast<uint8_t>(found)};
}

void BuddyPool::Put(Extent extent) {
  CheckAllocated(extent);
  PoisonMemory(base_ + extent.unit * kArenaUnitBytes, BytesOfOrder(extent.order));
  free_units_ += UnitsOf(extent.order);
  uint32_t unit = extent.unit;
  int order = extent.order;
  for (; order < kMaxExtentOrder; ++order) {
    const uint32_t buddy = unit ^ UnitsOf(order);
    if (!IsFree(buddy, order)) break;
    Unlink(buddy, order);
    unit &= ~UnitsOf(order);
  }
  Push(unit, order);
}

uint64_t BuddyPool::CountFree(int order) const {
  uint64_t count = 0;
  for (uint32_t unit = heads_[order]; unit != kNoUnit; unit = Read(unit, order).next) ++count;
  return count;
}

bool BuddyPool::IsFree(uint32_t unit, int order) const {
  const uint32_t index = unit >> order;
  return (free_bits_[order][index / 64] >> (index % 64)) & 1;
}

void BuddyPool::SetFree(uint32_t unit, int order, bool free) {
  const uint32_t index = unit >> order;
  const uint64_t mask = uint64_t{1} << (index % 64);
  uint64_t& word = free_bits_[order][index / 64];
  INCIPIT_CHECK(((word & mask) != 0) != free, Describe(free ? "already free" : "already taken", unit, order).c_str());
  word ^= mask;
}

BuddyPool::Links BuddyPool::Read(uint32_t unit, int order) const {
  if (order == kMaxExtentOrder) return largest_links_[unit >> order];
  Links links;
  const uint8_t* at = base_ + unit * kArenaUnitBytes;
  UnpoisonMemory(at, sizeof(links));
  std::memcpy(&links, at, sizeof(links));
  PoisonMemory(at, sizeof(links));
  return links;
}

void BuddyPool::Write(uint32_t unit, int order, Links links) {
  if (order == kMaxExtentOrder) {
    largest_links_[unit >> order] = links;
    return;
  }
  uint8_t* at = base_ + unit * kArenaUnitBytes;
  UnpoisonMemory(at, sizeof(links));
  std::memcpy(at, &links, sizeof(links));
  PoisonMemory(at, sizeof(links));
}

void BuddyPool::Push(uint32_t unit, int order) {
  SetFree(unit, order, true);
  const uint32_t head = heads_[order];
  Write(unit, order, {kNoUnit, head});
  if (head != kNoUnit) Write(head, order, {unit, Read(head, order).next});
  heads_[order] = unit;
  orders_with_free_ |= 1u << order;
}

void BuddyPool::Unlink(uint32_t unit, int order) {
  SetFree(unit, order, false);
  const Links links = Read(unit, order);
  // Both neighbours must point back: a write to freed memory shows here before it can spread.
  if (links.previous != kNoUnit) {
    INCIPIT_CHECK(links.previous < units_ && Read(links.previous, order).next == unit,
                  Describe(kOverwritten, unit, order).c_str());
    Write(links.previous, order, {Read(links.previous, order).previous, links.next});
  } else {
    INCIPIT_CHECK(heads_[order] == unit, Describe(kOverwritten, unit, order).c_str());
    heads_[order] = links.next;
    if (links.next == kNoUnit) orders_with_free_ &= ~(1u << order);
  }
  if (links.next != kNoUnit) {
    INCIPIT_CHECK(links.next < units_ && Read(links.next, order).previous == unit,
                  Describe(kOverwritten, unit, order).c_str());
    Write(links.next, order, {links.previous, Read(links.next, order).next});
  }
}

void BuddyPool::CheckAllocated(Extent extent) const {
  INCIPIT_CHECK(extent.order <= kMaxExtentOrder && extent.unit < units_ && extent.unit % UnitsOf(extent.order) == 0,
                Describe("free of what is no block of this arena", extent.unit, extent.order).c_str());
  for (int order = extent.order; order <= kMaxExtentOrder; ++order) {
    INCIPIT_CHECK(!IsFree(extent.unit, order),
                  Describe("free of what is already free", extent.unit, extent.order).c_str());
  }
}

}  // namespace incipit
