// What is remembered of blocks that are gone: a bounded first-in-first-out history with look-up by key.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

namespace incipit {

// Longest history that any policy keeps, whatever it holds: 2 million blocks, some 50 MB.
inline constexpr size_t kMaxGhosts = size_t{1} << 21;
// History of policies that learn from it, per block held: enough that a small tier sees reuses after long gaps.
inline constexpr size_t kGhostsPerBlock = 128;
inline size_t GhostsFor(size_t capacity_blocks, size_t allowed) {
  const size_t wanted = capacity_blocks < kMaxGhosts ? kGhostsPerBlock * capacity_blocks : kMaxGhosts;
  return std::max<size_t>(1, std::min({wanted, allowed, kMaxGhosts}));
}

inline uint64_t MixKey(uint64_t key) {  // finalizer of splitmix64
  key = (key ^ (key >> 30)) * 0xbf58476d1ce4e5b9u;
  key = (key ^ (key >> 27)) * 0x94d049bb133111ebu;
  return key ^ (key >> 31);
}

// One thread. Payload is small and copied. Every call is O(1) but for growth. Memory: an entry and 8 to 16 bytes for
// each ghost, up to twice that while it grows.
template <typename Payload>
class GhostTable {
 public:
  size_t size() const { return live_; }

  // Remembers `key`. REQUIRES: it is not there.
  void Add(uint64_t key, Payload payload) {
    if (entries_.empty() || head_ - tail_ == entries_.size()) Rebuild();
    const auto at = static_cast<uint32_t>(head_++ & (entries_.size() - 1));
    entries_[at] = {key, payload, true};
    ++live_;
    size_t slot = MixKey(key) & mask_;
    while (slots_[slot] != kEmpty) slot = (slot + 1) & mask_;
    slots_[slot] = at;
  }

  // Forgets `key` and returns what was remembered.
  std::optional<Payload> Take(uint64_t key) {
    const size_t slot = Find(key);
    if (slot == kNowhere) return std::nullopt;
    Entry& entry = entries_[slots_[slot]];
    entry.live = false;
    --live_;
    EraseSlot(slot);
    return entry.payload;
  }

  // Forgets the ghost that was added first. Nothing if there is none.
  std::optional<Payload> DropOldest() {
    while (tail_ != head_) {
      Entry& entry = entries_[tail_++ & (entries_.size() - 1)];
      if (!entry.live) continue;
      entry.live = false;
      --live_;
      EraseSlot(Find(entry.key, static_cast<uint32_t>(&entry - entries_.data())));
      return entry.payload;
    }
    return std::nullopt;
  }

  uint64_t MemoryBytes() const { return entries_.capacity() * sizeof(Entry) + slots_.capacity() * sizeof(uint32_t); }

 private:
  struct Entry {
    uint64_t key;
    Payload payload;
    bool live;
  };
  static constexpr uint32_t kEmpty = UINT32_MAX;
  static constexpr size_t kNowhere = SIZE_MAX;
  static constexpr size_t kFirstEntries = 64;

  size_t Find(uint64_t key, uint32_t entry = kEmpty) const {
    if (slots_.empty()) return kNowhere;
    for (size_t slot = MixKey(key) & mask_; slots_[slot] != kEmpty; slot = (slot + 1) & mask_) {
      if (entry == kEmpty ? entries_[slots_[slot]].key == key : slots_[slot] == entry) return slot;
    }
    return kNowhere;
  }

  // Moves later entries of the probe sequence up, so that no gap cuts one off.
  void EraseSlot(size_t slot) {
    size_t next = slot;
    while (true) {
      next = (next + 1) & mask_;
      if (slots_[next] == kEmpty) break;
      const size_t home = MixKey(entries_[slots_[next]].key) & mask_;
      if (((next - home) & mask_) < ((next - slot) & mask_)) continue;
      slots_[slot] = slots_[next];
      slot = next;
    }
    slots_[slot] = kEmpty;
  }

  // Leaves out what is dead; twice the room if much is alive.
  void Rebuild() {
    size_t room = kFirstEntries;
    while (room < 2 * live_) room *= 2;
    std::vector<Entry> kept;
    kept.reserve(room);
    for (; tail_ != head_; ++tail_) {
      const Entry& entry = entries_[tail_ & (entries_.size() - 1)];
      if (entry.live) kept.push_back(entry);
    }
    tail_ = 0;
    head_ = kept.size();
    kept.resize(room);
    entries_ = std::move(kept);
    slots_.assign(2 * room, kEmpty);
    mask_ = slots_.size() - 1;
    for (uint32_t i = 0; i < head_; ++i) {
      size_t slot = MixKey(entries_[i].key) & mask_;
      while (slots_[slot] != kEmpty) slot = (slot + 1) & mask_;
      slots_[slot] = i;
    }
  }

  std::vector<Entry> entries_;  // a ring; a power of two
  std::vector<uint32_t> slots_;
  size_t mask_ = 0;
  uint64_t head_ = 0, tail_ = 0;
  size_t live_ = 0;
};

}  // namespace incipit
