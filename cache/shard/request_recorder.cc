#include "cache/shard/request_recorder.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace incipit {
namespace {

constexpr uint64_t kNsPerMs = 1'000'000;

// Its blocks from the first on, without gaps and repetitions; what lies behind a gap is of no use to a plan. `sorted`:
// by depth.
std::vector<RecordedBlock> ChainOf(const std::vector<RecordedBlock>& sorted, uint32_t block_tokens) {
  std::vector<RecordedBlock> chain;
  for (const RecordedBlock& block : sorted) {
    if (!chain.empty() && block.depth_tokens == chain.back().depth_tokens) continue;
    if (block.depth_tokens != uint64_t{block_tokens} * chain.size()) break;
    chain.push_back(block);
  }
  return chain;
}

}  // namespace

void RequestRecorder::Note(const Part& part, int64_t now_ns) {
  if (part.blocks.empty() || part.block_tokens == 0) return;
  const std::lock_guard<std::mutex> lock(mutex_);
  const Key key = {part.stamp_ns, part.name_space};
  const auto [found, is_new] = open_.try_emplace(key, first_ + requests_.size());
  if (is_new) {
    requests_.push_back({.key = key, .began_ns = now_ns, .block_tokens = part.block_tokens});
    bytes_ += requests_.back().Bytes();
  }
  Request& request = requests_[found->second - first_];
  // A late part would change what was handed out.
  if (now_ns - request.began_ns > kSettleNs) return;
  bytes_ -= request.Bytes();
  request.blocks.insert(request.blocks.end(), part.blocks.begin(), part.blocks.end());
  bytes_ += request.Bytes();
  while (bytes_ > most_bytes_ && !requests_.empty()) DropOldest();
}

void RequestRecorder::DropOldest() {
  bytes_ -= requests_.front().Bytes();
  open_.erase(requests_.front().key);
  requests_.pop_front();
  ++first_;
}

std::vector<RequestRecorder::Request> RequestRecorder::Copy(uint64_t from, int64_t now_ns, Page* page) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  std::vector<Request> copies;
  page->missed = first_ - std::min(first_, from);
  page->next = std::clamp(from, first_, first_ + requests_.size());
  for (uint64_t blocks = 0; page->next < first_ + requests_.size() && blocks < kMaxPageBlocks; ++page->next) {
    const Request& request = requests_[page->next - first_];
    if (now_ns - request.began_ns <= kSettleNs) break;
    blocks += request.blocks.size();
    copies.push_back(request);
  }
  return copies;
}

RequestRecorder::Page RequestRecorder::PageFrom(uint64_t from, int64_t now_ns) const {
  Page page;
  for (Request& request : Copy(from, now_ns, &page)) {
    const uint32_t block_tokens = request.block_tokens;
    std::sort(request.blocks.begin(), request.blocks.end(),
              [](const RecordedBlock& a, const RecordedBlock& b) { return a.depth_tokens < b.depth_tokens; });
    const std::vector<RecordedBlock> chain = ChainOf(request.blocks, block_tokens);
    if (chain.empty() || chain.back().depth_tokens != request.blocks.back().depth_tokens) ++page.partial;
    if (chain.empty()) continue;
    absl::StrAppend(&page.lines, R"({"timestamp": )", request.key.stamp_ns / kNsPerMs, R"(, "input_length": )",
                    uint64_t{block_tokens} * chain.size(), R"(, "output_length": 0, "hash_ids": [)");
    for (size_t i = 0; i < chain.size(); ++i) absl::StrAppend(&page.lines, i == 0 ? "" : ", ", chain[i].hash);
    page.lines += "]}\n";
  }
  return page;
}

uint64_t RequestRecorder::KeptBytes() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return bytes_;
}

}  // namespace incipit
