#include "cache/seams/mem_disk_contents.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

namespace incipit {

void MemDiskContents::ReadImage(const Image& image, uint64_t offset, MutableBytes into) {
  size_t done = 0;
  while (done < into.size()) {
    const uint64_t page = (offset + done) / kPageBytes;
    const size_t within = (offset + done) % kPageBytes;
    const size_t count = std::min(kPageBytes - within, into.size() - done);
    auto found = image.find(page);
    if (found == image.end()) {
      std::memset(into.data() + done, 0, count);
    } else {
      std::memcpy(into.data() + done, found->second->data() + within, count);
    }
    done += count;
  }
}

void MemDiskContents::Read(uint64_t offset, MutableBytes into) const { ReadImage(current_, offset, into); }

void MemDiskContents::Overwrite(uint64_t offset, ByteView bytes) {
  const uint64_t start = AlignDown(offset, kPageBytes);
  std::vector<uint8_t> pages(AlignUp(offset + bytes.size(), kPageBytes) - start);
  Read(start, pages);
  std::copy(bytes.begin(), bytes.end(), pages.begin() + (offset - start));
  EndWrite(BeginWrite(start, pages), pages);
  EndFlush(BeginFlush());
}

void MemDiskContents::FlipBit(uint64_t offset, int bit) {
  for (Image* image : {&current_, &durable_}) {
    Page page;
    ReadImage(*image, AlignDown(offset, kPageBytes), page);
    page[offset % kPageBytes] ^= static_cast<uint8_t>(1u << bit);
    (*image)[offset / kPageBytes] = std::make_shared<const Page>(page);
  }
}

uint64_t MemDiskContents::BeginWrite(uint64_t offset, ByteView from) {
  PendingWrite write;
  write.first_page = offset / kPageBytes;
  for (size_t at = 0; at < from.size(); at += kPageBytes) {
    auto page = std::make_shared<Page>();
    std::memcpy(page->data(), from.data() + at, kPageBytes);
    write.pages.push_back(std::move(page));
  }
  in_flight_.emplace(next_ticket_, std::move(write));
  return next_ticket_++;
}

void MemDiskContents::EndWrite(uint64_t ticket, ByteView from) {
  auto found = in_flight_.find(ticket);
  if (found == in_flight_.end()) return;  // a crash decided about it already
  PendingWrite write = std::move(found->second);
  in_flight_.erase(found);
  for (size_t i = 0; i < write.pages.size(); ++i) {
    if (std::memcmp(write.pages[i]->data(), from.data() + i * kPageBytes, kPageBytes) != 0) std::abort();
    current_[write.first_page + i] = write.pages[i];
  }
  write.end_serial = ++ended_;
  unflushed_.push_back(std::move(write));
}

void MemDiskContents::EndFlush(uint64_t point) {
  size_t count = 0;
  while (count < unflushed_.size() && unflushed_[count].end_serial <= point) {
    const PendingWrite& write = unflushed_[count++];
    for (size_t i = 0; i < write.pages.size(); ++i) durable_[write.first_page + i] = write.pages[i];
  }
  unflushed_.erase(unflushed_.begin(), unflushed_.begin() + count);
}

void MemDiskContents::Keep(Random* random, const PendingWrite& write) {
  const uint64_t fate_of_write = random->Below(4);  // 0: all lost, 1: all kept, else page by page
  for (size_t i = 0; i < write.pages.size(); ++i) {
    const uint64_t fate = fate_of_write < 2 ? fate_of_write : random->Below(3);
    if (fate == 0) continue;
    PageRef& slot = durable_[write.first_page + i];
    if (fate == 1) {
      slot = write.pages[i];
      continue;
    }
    auto torn = std::make_shared<Page>(slot == nullptr ? Page{} : *slot);
    for (size_t sector = 0; sector < kPageBytes; sector += kSectorBytes) {
      if (random->Below(2) == 0) continue;
      std::memcpy(torn->data() + sector, write.pages[i]->data() + sector, kSectorBytes);
    }
    slot = std::move(torn);
  }
}

void MemDiskContents::Crash(Random* random) {
  for (const PendingWrite& write : unflushed_) Keep(random, write);
  for (const auto& [ticket, write] : in_flight_) Keep(random, write);
  unflushed_.clear();
  in_flight_.clear();
  for (auto page = durable_.begin(); page != durable_.end();) {
    if (page->second == nullptr) {
      durable_.erase(page++);
    } else {
      ++page;
    }
  }
  current_ = durable_;
}

}  // namespace incipit
