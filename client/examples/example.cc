// Stores the two blocks of a short prompt, then finds and loads them as another worker would.
// Usage: incipit_example_cc tcp://host:port
#include <cstdio>
#include <string>
#include <vector>

#include "client/hasher/prefix_hasher.h"
#include "client/layouts/layouts.h"
#include "incipit/client.h"

namespace {

int Fail(const char* what, const absl::Status& status) {
  std::fprintf(stderr, "%s: %s\n", what, std::string(status.message()).c_str());
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return std::fprintf(stderr, "usage: %s tcp://host:port\n", argv[0]), 2;
  incipit::ClientOptions options;
  options.address = argv[1];
  options.model = "example-model";
  options.layout = *incipit::NamedLayout("deepseek-v3-bf16");
  auto client = incipit::Client::Connect(options);
  if (!client.ok()) return Fail("connect", client.status());

  // The prompt: 128 tokens, so two blocks of 64. Their keys are hashes of all tokens up to each block's end.
  std::vector<uint32_t> tokens(128);
  for (uint32_t i = 0; i < tokens.size(); ++i) tokens[i] = i * 7919;
  auto hasher = incipit::PrefixHasher::Create({});
  if (!hasher.ok()) return Fail("hasher", hasher.status());
  hasher->Append(tokens);

  const incipit::GroupSpec& group = options.layout.groups[0];
  std::vector<std::vector<uint8_t>> computed, loaded;
  incipit::StoreRequest store;
  incipit::LoadRequest load;
  for (uint32_t i = 0; i < hasher->keys().size(); ++i) {
    computed.emplace_back(group.BlockBytes(), static_cast<uint8_t>(i + 1));
    loaded.emplace_back(group.BlockBytes());
    const uint32_t depth_tokens = i * group.block_tokens;
    const incipit::ByteView key = hasher->keys()[i].bytes();
    store.items.push_back(
        {.depth_tokens = depth_tokens, .key = key, .buffer = {computed[i].data(), computed[i].size()}});
    load.items.push_back({.depth_tokens = depth_tokens, .key = key, .buffer = {loaded[i].data(), loaded[i].size()}});
  }
  store.stamp_ns = load.stamp_ns = (*client)->NewStamp();
  auto stored = (*client)->Store(store);
  if (!stored.ok()) return Fail("store", stored.status());

  incipit::MatchRequest match;
  match.groups = {hasher->keys()};
  match.lease_ms = 5000;
  auto found = (*client)->Match(match);
  if (!found.ok()) return Fail("match", found.status());
  std::printf("%llu of %zu tokens can be restored\n", static_cast<unsigned long long>(found->longest_tokens()),
              tokens.size());

  auto result = (*client)->Load(load);
  if (!result.ok()) return Fail("load", result.status());
  const bool same = result->hits == 2 && loaded == computed;
  std::printf("%llu blocks loaded, %s\n", static_cast<unsigned long long>(result->hits),
              same ? "all bytes right" : "WRONG");
  return same ? 0 : 1;
}
