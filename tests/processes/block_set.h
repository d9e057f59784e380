// Self-verifying blocks of several namespaces, and loading and storing them in batches. The same keys are used in every
// namespace and group; the bytes follow from all three, so that a block of the wrong one is seen at once.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "cache/format/identity.h"
#include "incipit/client.h"

namespace incipit::campaign {

struct Block {
  uint8_t name_space = 0;  // index into Namespaces()
  GroupIndex group = 0;
  std::vector<uint8_t> key;
};

struct Namespace {
  std::string model;
  Layout layout;
};
// 4 KiB blocks, deepseek-v4.1-flash with its groups, 1 MiB blocks.
const std::vector<Namespace>& Namespaces();
uint64_t BytesOf(const Block& block);
std::vector<uint8_t> PayloadOf(const Block& block);
std::vector<uint8_t> KeyOfNumber(uint64_t number);
// The block that a framed identity names. InvalidArgument: of no namespace of this set, or in parts.
absl::StatusOr<Block> BlockOf(ByteView framed_identity);

// What loads found. Adds up.
struct Tally {
  uint64_t hits = 0, misses = 0, wrong = 0, unanswered = 0;
  std::vector<std::string> examples;  // of misses and wrong blocks, a few
};

// One client per namespace, all of one thread.
class BlockClients {
 public:
  static absl::StatusOr<std::unique_ptr<BlockClients>> Connect(const std::string& address, uint32_t deadline_ms);

  // All blocks of a call are of one namespace. Loads and compares every byte of each hit.
  void Load(const std::vector<Block>& blocks, Tally* tally);
  // The same, in batches, asking again for what was busy or late. What stays without answer counts as unanswered.
  void LoadAll(const std::vector<Block>& blocks, Tally* tally);
  absl::StatusOr<StatusResult> Store(const std::vector<Block>& blocks);
  absl::StatusOr<StatusResult> Remove(const std::vector<Block>& blocks);
  Client* client(size_t name_space) { return clients_[name_space].get(); }
  // Value `name` of each shard added up; Unavailable unless all answer.
  absl::StatusOr<uint64_t> Stat(const std::string& name);
  // Asks until every shard says that it has indexed its NVMe tier. The time that took, from now.
  absl::StatusOr<double> WaitRecovered();

 private:
  absl::StatusOr<LoadResult> LoadOnce(const std::vector<Block>& blocks, Tally* tally);

  std::vector<std::unique_ptr<Client>> clients_;
};

}  // namespace incipit::campaign
