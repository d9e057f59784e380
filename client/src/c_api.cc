// The C interface: each function translates to the C++ client and back, and turns a Status into a code and a text.
#include <atomic>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "client/layouts/layouts.h"
#include "incipit/client.h"
#include "incipit/incipit.h"
#include "incipit/shared_region.h"

using incipit::BlockStatus;
using incipit::ByteView;
using incipit::Client;
using incipit::Presence;

static_assert(sizeof(BlockStatus) == 1 && INCIPIT_BLOCK_REJECTED == static_cast<int>(BlockStatus::kRejected));
static_assert(sizeof(Presence) == 1 && INCIPIT_NVME == static_cast<int>(Presence::kNvme));
static_assert(INCIPIT_FLIGHT_COMPUTING == static_cast<int>(incipit::Flight::kComputing));
static_assert(INCIPIT_ALL_SEGMENTS == incipit::wire::kAllSegments);

struct incipit_client {
  std::unique_ptr<Client> client;
};

struct incipit_match {
  incipit::MatchResult result;
};

struct incipit_load {
  // Shared with the callback, which may still be waking a waiter when the load is freed.
  struct State {
    absl::StatusOr<incipit::LoadResult> result;
    std::atomic<uint32_t> done{0};
    bool ended() const { return done.load(std::memory_order_acquire) != 0; }
  };
  Client* client = nullptr;
  uint8_t* status = nullptr;
  std::shared_ptr<State> state;
};

struct incipit_region {
  std::unique_ptr<incipit::SharedRegion> region;
};

namespace {

thread_local std::string last_error;

int Fail(int code, std::string what) {
  last_error = std::move(what);
  return code;
}

int CodeOf(const absl::Status& status) {
  if (status.ok()) return INCIPIT_OK;
  const std::string message(status.message());
  switch (status.code()) {
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kNotFound:
      return Fail(INCIPIT_INVALID_ARGUMENT, message);
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDeadlineExceeded:
      return Fail(INCIPIT_UNAVAILABLE, message);
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kPermissionDenied:
    case absl::StatusCode::kUnauthenticated:
      return Fail(INCIPIT_REFUSED, message);
    default:
      return Fail(INCIPIT_INTERNAL, message);
  }
}

// A copy of the caller's struct in this library's size: what an older caller does not have is 0.
template <typename T>
std::optional<T> CopyOf(const T* from) {
  if (from == nullptr || from->struct_bytes < sizeof(size_t) || from->struct_bytes > sizeof(T)) {
    Fail(INCIPIT_INVALID_ARGUMENT, "struct_bytes is not the size of a struct this library knows");
    return std::nullopt;
  }
  T copy{};
  std::memcpy(static_cast<void*>(&copy), from, from->struct_bytes);
  return copy;
}

// The other way: fills as much as the caller has room for.
template <typename T>
int CopyTo(T from, T* to) {
  if (to == nullptr || to->struct_bytes < sizeof(size_t)) {
    return Fail(INCIPIT_INVALID_ARGUMENT, "struct_bytes is not set");
  }
  from.struct_bytes = to->struct_bytes;
  std::memcpy(static_cast<void*>(to), &from, std::min(from.struct_bytes, sizeof(T)));
  return INCIPIT_OK;
}

absl::StatusOr<incipit::Layout> LayoutOf(const incipit_options& options) {
  if (options.layout_name != nullptr) return incipit::NamedLayout(options.layout_name, options.block_tokens);
  return incipit::Layout::Decode(ByteView(options.layout, options.layout_bytes));
}

std::vector<incipit::KeyList> KeyListsOf(const incipit_key_list* groups, size_t count) {
  std::vector<incipit::KeyList> lists;
  for (size_t g = 0; g < count; ++g) lists.emplace_back(groups[g].keys, groups[g].count, groups[g].key_bytes);
  return lists;
}

int TakeMatch(absl::StatusOr<incipit::MatchResult> result, incipit_match** match) {
  if (!result.ok()) return CodeOf(result.status());
  *match = new incipit_match{*std::move(result)};
  return INCIPIT_OK;
}

std::vector<incipit::LoadItem> LoadItems(const incipit_load_request& request) {
  std::vector<incipit::LoadItem> items(request.count);
  for (size_t i = 0; i < request.count; ++i) {
    const incipit_block& block = request.blocks[i];
    items[i] = {.group = block.group,
                .depth_tokens = block.depth_tokens,
                .key = ByteView(block.key, block.key_bytes),
                .buffer = {block.data, block.data_bytes}};
  }
  return items;
}

incipit::LoadRequest LoadRequestOf(const incipit_load_request& request) {
  return {.items = LoadItems(request),
          .first_segment = request.first_segment,
          .segment_count = request.segment_count == 0 ? incipit::wire::kAllSegments : request.segment_count,
          .stamp_ns = request.stamp_ns,
          .deadline_ms = request.deadline_ms,
          .recompute_tokens = request.recompute_tokens};
}

std::vector<incipit::BlockName> NamesOf(const incipit_keys_request& request) {
  std::vector<incipit::BlockName> names(request.count);
  for (size_t i = 0; i < request.count; ++i) {
    const incipit_block& block = request.blocks[i];
    names[i] = {block.group, block.depth_tokens, ByteView(block.key, block.key_bytes)};
  }
  return names;
}

void WriteStatuses(const std::vector<BlockStatus>& from, uint8_t* to) {
  if (!from.empty()) std::memcpy(to, from.data(), from.size());
}

int TakeLoad(const absl::StatusOr<incipit::LoadResult>& result, uint8_t* status, uint64_t* hits) {
  if (!result.ok()) return CodeOf(result.status());
  WriteStatuses(result->status, status);
  if (hits != nullptr) *hits = result->hits;
  return INCIPIT_OK;
}

int TakeStatuses(const absl::StatusOr<incipit::StatusResult>& result, uint8_t* status) {
  if (!result.ok()) return CodeOf(result.status());
  WriteStatuses(result->status, status);
  return INCIPIT_OK;
}

}  // namespace

uint32_t incipit_abi_version(void) { return INCIPIT_ABI_VERSION; }

const char* incipit_last_error(void) { return last_error.c_str(); }

int incipit_connect(const incipit_options* options, incipit_client** client) {
  const auto given = CopyOf(options);
  if (!given.has_value()) return INCIPIT_INVALID_ARGUMENT;
  if (given->address == nullptr || given->model == nullptr) {
    return Fail(INCIPIT_INVALID_ARGUMENT, "incipit_options: address and model are needed");
  }
  absl::StatusOr<incipit::Layout> layout = LayoutOf(*given);
  if (!layout.ok()) return CodeOf(layout.status());
  incipit::ClientOptions cpp;
  cpp.address = given->address;
  cpp.model = given->model;
  if (given->tenant != nullptr) cpp.tenant = given->tenant;
  if (given->secret_file != nullptr) cpp.secret_file = given->secret_file;
  if (given->namespace_owner != nullptr) cpp.namespace_owner = given->namespace_owner;
  if (given->client_name != nullptr) cpp.client_name = given->client_name;
  cpp.layout = *std::move(layout);
  cpp.progress = given->progress == INCIPIT_PROGRESS_CALLER ? incipit::Progress::kCaller : incipit::Progress::kThread;
  cpp.connect_lazily = given->connect_lazily != 0;
  if (given->connect_timeout_ms != 0) cpp.connect_timeout_ms = given->connect_timeout_ms;
  if (given->default_deadline_ms != 0) cpp.default_deadline_ms = given->default_deadline_ms;
  if (given->max_inflight_bytes != 0) cpp.max_inflight_bytes = given->max_inflight_bytes;
  cpp.prefill_tokens_per_s = given->prefill_tokens_per_s;
  if (given->sealing_key_file != nullptr) cpp.sealing_key_file = given->sealing_key_file;
  if (given->sealing_key != nullptr) {
    auto key = incipit::SealingKey::FromBytes({given->sealing_key, given->sealing_key_bytes});
    if (!key.ok()) return CodeOf(key.status());
    cpp.sealing_key = *std::move(key);
  }
  if (given->codec != nullptr) cpp.codec = given->codec;
  cpp.codec_threads = given->codec_threads;
  if (given->replicas != 0) cpp.replicas = given->replicas;
  absl::StatusOr<std::unique_ptr<Client>> connected = Client::Connect(std::move(cpp));
  if (!connected.ok()) return CodeOf(connected.status());
  *client = new incipit_client{*std::move(connected)};
  return INCIPIT_OK;
}

void incipit_close(incipit_client* client) { delete client; }

int incipit_get_group(incipit_client* client, uint16_t index, incipit_group* group) {
  const std::vector<incipit::GroupSpec>& groups = client->client->options().layout.groups;
  if (index >= groups.size()) {
    return Fail(INCIPIT_INVALID_ARGUMENT, "the layout has " + std::to_string(groups.size()) + " groups");
  }
  incipit_group out{};
  out.block_tokens = groups[index].block_tokens;
  out.segments = groups[index].SegmentCount();
  out.segment_bytes = groups[index].SegmentBytes();
  out.block_bytes = groups[index].BlockBytes();
  return CopyTo(out, group);
}

uint64_t incipit_new_stamp(incipit_client* client) { return client->client->NewStamp(); }

int incipit_match_keys(incipit_client* client, const incipit_match_request* request, incipit_match** match) {
  const auto given = CopyOf(request);
  if (!given.has_value()) return INCIPIT_INVALID_ARGUMENT;
  incipit::MatchRequest cpp;
  cpp.groups = KeyListsOf(given->groups, given->group_count);
  cpp.stamp_ns = given->stamp_ns;
  cpp.lease_ms = given->lease_ms;
  cpp.deadline_ms = given->deadline_ms;
  cpp.claim_ms = given->claim_ms;
  return TakeMatch(client->client->Match(std::move(cpp)), match);
}

int incipit_wait(incipit_client* client, const incipit_wait_request* request, incipit_match** match) {
  const auto given = CopyOf(request);
  if (!given.has_value()) return INCIPIT_INVALID_ARGUMENT;
  incipit::WaitRequest cpp;
  cpp.groups = KeyListsOf(given->groups, given->group_count);
  cpp.have_tokens = given->have_tokens;
  cpp.step_tokens = given->step_tokens;
  cpp.claim_ms = given->claim_ms;
  cpp.deadline_ms = given->deadline_ms;
  return TakeMatch(client->client->Wait(std::move(cpp)), match);
}

void incipit_match_renew(incipit_match* match) { match->result.claim.Renew(); }

void incipit_match_release_claim(incipit_match* match) { match->result.claim.Release(); }

int incipit_match_get(const incipit_match* match, incipit_match_info* info) {
  const incipit::MatchResult& result = match->result;
  incipit_match_info out{};
  out.restorable_tokens = result.restorable_tokens.data();
  out.restorable_count = result.restorable_tokens.size();
  out.longest_tokens = result.longest_tokens();
  out.ram_bytes = result.ram_bytes;
  out.nvme_bytes = result.nvme_bytes;
  out.lease_ms = result.lease_ms;
  out.complete = result.complete ? 1 : 0;
  out.worth_loading = result.worth_loading ? 1 : 0;
  out.load_time_us = result.load_time_us;
  out.recompute_time_us = result.recompute_time_us;
  out.flight = static_cast<int>(result.flight);
  out.claim_ms = result.claim_ms;
  out.computing_ms = result.computing_ms;
  return CopyTo(out, info);
}

const uint8_t* incipit_match_presence(const incipit_match* match, uint16_t group, size_t* count) {
  if (group >= match->result.presence.size()) return nullptr;
  *count = match->result.presence[group].size();
  return reinterpret_cast<const uint8_t*>(match->result.presence[group].data());
}

void incipit_match_free(incipit_match* match) { delete match; }

int incipit_load_blocks(incipit_client* client, const incipit_load_request* request, uint8_t* status, uint64_t* hits) {
  const auto given = CopyOf(request);
  if (!given.has_value()) return INCIPIT_INVALID_ARGUMENT;
  return TakeLoad(client->client->Load(LoadRequestOf(*given)), status, hits);
}

int incipit_load_start(incipit_client* client, const incipit_load_request* request, uint8_t* status,
                       incipit_load** load) {
  const auto given = CopyOf(request);
  if (!given.has_value()) return INCIPIT_INVALID_ARGUMENT;
  auto state = std::make_shared<incipit_load::State>();
  *load = new incipit_load{client->client.get(), status, state};
  client->client->LoadAsync(LoadRequestOf(*given), [state](absl::StatusOr<incipit::LoadResult> result) {
    state->result = std::move(result);
    state->done.store(1, std::memory_order_release);
    state->done.notify_all();
  });
  return INCIPIT_OK;
}

int incipit_load_poll(incipit_load* load, uint64_t* hits) {
  if (!load->state->ended()) load->client->Poll(0);
  if (!load->state->ended()) return INCIPIT_PENDING;
  return TakeLoad(load->state->result, load->status, hits);
}

int incipit_load_wait(incipit_load* load, uint64_t* hits) {
  const bool caller_drives = load->client->options().progress == incipit::Progress::kCaller;
  while (!load->state->ended()) {
    if (caller_drives) {
      load->client->Poll(1000);
    } else {
      load->state->done.wait(0, std::memory_order_acquire);
    }
  }
  return TakeLoad(load->state->result, load->status, hits);
}

void incipit_load_free(incipit_load* load) {
  if (load == nullptr) return;
  (void)incipit_load_wait(load, nullptr);
  delete load;
}

int incipit_store_blocks(incipit_client* client, const incipit_store_request* request, uint8_t* status,
                         uint64_t* stored) {
  const auto given = CopyOf(request);
  if (!given.has_value()) return INCIPIT_INVALID_ARGUMENT;
  incipit::StoreRequest cpp;
  cpp.items.resize(given->count);
  for (size_t i = 0; i < given->count; ++i) {
    const incipit_block& block = given->blocks[i];
    cpp.items[i] = {.group = block.group,
                    .depth_tokens = block.depth_tokens,
                    .key = ByteView(block.key, block.key_bytes),
                    .buffer = {block.data, block.data_bytes}};
  }
  cpp.stamp_ns = given->stamp_ns;
  cpp.deadline_ms = given->deadline_ms;
  cpp.offer_first = given->skip_offer == 0;
  const absl::StatusOr<incipit::StatusResult> result = client->client->Store(std::move(cpp));
  if (result.ok() && stored != nullptr) *stored = result->Count(BlockStatus::kOk);
  return TakeStatuses(result, status);
}

int incipit_offer(incipit_client* client, const incipit_keys_request* request, uint8_t* status) {
  const auto given = CopyOf(request);
  if (!given.has_value()) return INCIPIT_INVALID_ARGUMENT;
  return TakeStatuses(client->client->Offer({NamesOf(*given), given->stamp_ns, given->deadline_ms}), status);
}

int incipit_touch(incipit_client* client, const incipit_keys_request* request, uint8_t* status) {
  const auto given = CopyOf(request);
  if (!given.has_value()) return INCIPIT_INVALID_ARGUMENT;
  incipit::TouchRequest cpp{.blocks = NamesOf(*given),
                            .stamp_ns = given->stamp_ns,
                            .ttl_ms = given->ttl_ms,
                            .next_use_ms = given->next_use_ms,
                            .deadline_ms = given->deadline_ms};
  return TakeStatuses(client->client->Touch(std::move(cpp)), status);
}

int incipit_remove(incipit_client* client, const incipit_keys_request* request, uint8_t* status) {
  const auto given = CopyOf(request);
  if (!given.has_value()) return INCIPIT_INVALID_ARGUMENT;
  return TakeStatuses(client->client->Remove({NamesOf(*given), given->deadline_ms}), status);
}

int incipit_region_create(uint64_t bytes, incipit_region** region) {
  if (region == nullptr) return Fail(INCIPIT_INVALID_ARGUMENT, "region is NULL");
  absl::StatusOr<std::unique_ptr<incipit::SharedRegion>> made = incipit::SharedRegion::Create(bytes);
  if (!made.ok()) return CodeOf(made.status());
  *region = new incipit_region{*std::move(made)};
  return INCIPIT_OK;
}
void* incipit_region_data(const incipit_region* region) { return region->region->data(); }
uint64_t incipit_region_bytes(const incipit_region* region) { return region->region->bytes(); }
void incipit_region_destroy(incipit_region* region) { delete region; }

int incipit_stats(incipit_client* client,
                  void (*visit)(void* context, uint16_t shard, const char* name, uint64_t value), void* context) {
  const absl::StatusOr<std::vector<incipit::ShardStats>> stats = client->client->Stats();
  if (!stats.ok()) return CodeOf(stats.status());
  for (const incipit::ShardStats& shard : *stats) {
    for (const auto& [name, value] : shard.values) visit(context, shard.shard, name.c_str(), value);
  }
  return INCIPIT_OK;
}
