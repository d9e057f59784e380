// The C++ client library: match, load and store the KV blocks of one model on one node or a cluster of them.
//
//   auto client = Client::Connect({.address = "tcp://10.0.0.5:9400", .model = "deepseek-v3", .layout = layout});
//   // or, of a cluster: .address = "cluster://10.0.0.5:9400,10.0.0.6:9400"
//   auto match = client->Match({.groups = {KeyList(hasher.keys())}});
//   if (match->longest_tokens() > 0 && match->worth_loading) ... Load() ...
//
// What it promises: a block reported as hit holds exactly the bytes that one writer stored, verified after they
// landed. A dead, frozen, refusing or lying node costs hits, never an error and never a wait past the deadline: Match
// finds nothing, Load gives misses, Offer wants nothing. An absl error comes back only for a mistake of the caller
// (InvalidArgument: wrong sizes, unknown group, key length), and Unavailable from Connect, Store and Stats.
//
// Threads: with Progress::kThread any thread may call anything at any time. With Progress::kCaller the client, its
// leases and its callbacks belong to one thread at a time; handing it to another thread needs a happens-before edge.
#pragma once

#include <sys/uio.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cache/base/bytes.h"
#include "cache/base/types.h"
#include "cache/format/identity.h"
#include "cache/format/layout.h"
#include "incipit/sealing_key.h"
#include "transport/wire/messages.h"

namespace incipit {

using wire::BlockStatus;
using wire::Presence;

// Who moves the bytes.
enum class Progress {
  kThread,  // one background thread per client; blocking calls sleep until it has their answer
  kCaller,  // no thread: blocking calls do the work on the calling thread (lowest latency), Poll() does it for Async
};

// The address of the cluster that has these nodes.
std::string ClusterAddress(std::span<const std::string> seeds);

struct ClientOptions {
  // Of one node: "tcp://host:port", "unix:///path/of/socket", "unix://@name" or "ucx://host:port". Of a cluster, by one
  // or a few of its nodes, any of which gives its map: "cluster://host:port,host:port" (over tcp; to use another lane
  // each states it, as in "cluster://ucx://host:port"). Of a cluster each call goes to all nodes that it concerns at
  // once; everything here holds for it too.
  std::string address;
  std::string tenant = "default";  // 1 to kMaxNameBytes
  // The tenant's secret, where the node has tenants: from a file of hexadecimal digits, or as bytes (16 to 64). Without
  // one the client speaks only to nodes that ask for none, with one only to nodes that know it too.
  std::string secret_file;
  std::string secret;
  std::string namespace_owner;  // tenant whose blocks are used, if it grants that; empty = the client's own
  std::string model;            // 1 to kMaxNameBytes
  Layout layout;                // validated by Connect; enters every block's identity
  std::string client_name;      // for the node's logs, at most kMaxNameBytes
  Progress progress = Progress::kThread;
  bool connect_lazily = false;  // true: Connect succeeds without a node, and calls miss until there is one
  uint32_t connect_timeout_ms = 2000;
  uint32_t default_deadline_ms = 2000;  // of calls that state none
  uint32_t reconnect_min_ms = 10;       // pause after the first failure; doubles up to the maximum, with jitter
  uint32_t reconnect_max_ms = 2000;
  uint32_t breaker_failures = 3;            // in a row, or a second of silence: then a shard's calls miss at once
  uint32_t breaker_cooldown_ms = 1000;      // until the next probe of a shard whose breaker is open
  uint64_t max_inflight_bytes = 64 * kMiB;  // payload asked for and not yet received, per shard
  uint32_t busy_retries = 4;        // how often a call that the node answers "busy" is tried again before it says so
  double prefill_tokens_per_s = 0;  // of the engine; over 0: what is slower than computing it again is a miss
  // In a cluster: how many nodes get each block that is stored, in different zones as long as there are any. Reads fall
  // back on the others: 2 keeps all blocks while one node is away, for twice the room. 1 to kMaxReplicas.
  uint32_t replicas = 1;
  static constexpr uint32_t kMaxReplicas = 4;
  // With a key, blocks are sealed (encrypted by this client) before they leave it, and nothing else is accepted. Sealed
  // blocks are a namespace of their own for each key. One of the two: the key, or the file that Connect reads it from.
  std::shared_ptr<const SealingKey> sealing_key;
  std::string sealing_key_file;
  // How blocks are stored, in those groups of the layout that have rows of its kind (docs/coded_segments.md): "" as
  // they are; "bf16-lossless" or "bf16-lossless-fast" (larger, cheaper), "fp8-lossless"; "fp8", which is LOSSY and
  // whose blocks are a namespace of their own. Every client reads what is stored losslessly, whatever it stores itself.
  // With a sealing key blocks are coded, then sealed; their sizes tell how far each layer shrank.
  std::string codec;
  // That code and decode; 0 = half the processors that the process may use, 1 to 4; of one or two its own codes too.
  uint32_t codec_threads = 0;
};

// Keys of consecutive blocks of one group: key i covers tokens [i * block_tokens, (i + 1) * block_tokens). A view: the
// keys must outlive the call.
class KeyList {
 public:
  KeyList() = default;
  KeyList(std::span<const BlockKey> keys) : keys_(keys.data()), count_(keys.size()) {}      // NOLINT: implicit
  KeyList(const std::vector<BlockKey>& keys) : KeyList(std::span<const BlockKey>(keys)) {}  // NOLINT: implicit
  // `count` keys of `key_bytes` each, one after the other.
  KeyList(const uint8_t* packed, size_t count, size_t key_bytes)
      : packed_(packed), count_(count), key_bytes_(key_bytes) {}
  size_t size() const { return count_; }
  ByteView operator[](size_t i) const {
    return keys_ != nullptr ? keys_[i].bytes() : ByteView(packed_ + i * key_bytes_, key_bytes_);
  }

 private:
  const BlockKey* keys_ = nullptr;
  const uint8_t* packed_ = nullptr;
  size_t count_ = 0;
  size_t key_bytes_ = 0;
};

// Pins of one Match. Destroying it, or Release(), lets the node forget them; they end on their own after lease_ms.
// Move-only. May outlive the client, and does nothing then. Thread: as the client. Never blocks.
class Lease {
 public:
  Lease() = default;
  explicit Lease(std::function<void()> release) : release_(std::move(release)) {}
  Lease(Lease&& other) noexcept : release_(std::exchange(other.release_, nullptr)) {}
  Lease& operator=(Lease&& other) noexcept {
    if (this != &other) {
      Release();
      release_ = std::exchange(other.release_, nullptr);
    }
    return *this;
  }
  ~Lease() { Release(); }
  void Release() {
    if (auto release = std::exchange(release_, nullptr)) release();
  }
  bool held() const { return release_ != nullptr; }

 private:
  std::function<void()> release_;
};

// The announcement that this worker computes what a Match found missing. It lapses claim_ms after the Match or the last
// Renew(), or with the client: renew it while the work goes on. Storing the blocks ends it block by block; destroying
// it, or Release(), ends the rest of it. Move-only. May outlive the client, and does nothing then. Thread: as the
// client. Never blocks.
class Claim {
 public:
  Claim() = default;
  Claim(std::function<void()> renew, Lease held) : renew_(std::move(renew)), held_(std::move(held)) {}
  void Renew() {
    if (held_.held()) renew_();
  }
  void Release() { held_.Release(); }
  bool held() const { return held_.held(); }

 private:
  std::function<void()> renew_;
  Lease held_;  // released like one
};

// Who computes the first block that is missing behind longest_tokens(), and with it what follows.
enum class Flight : uint8_t {
  kNone,       // nothing is missing, or nobody is known to compute it: not asked for, node too old, full or unreachable
  kClaimed,    // this worker: it should, and others may wait for it
  kComputing,  // another worker that is alive: Wait() for it, or compute it all the same
};

// The chain of one prompt in every group of the layout, in the layout's order. A group without keys makes nothing
// restorable but may be left out when only presence is asked for.
struct MatchRequest {
  std::vector<KeyList> groups;
  uint64_t stamp_ns = 0;     // NewStamp() of the engine's request, shared by all its calls; 0 = a new one
  uint32_t lease_ms = 0;     // 0 = do not pin
  uint32_t deadline_ms = 0;  // 0 = default_deadline_ms
  uint32_t claim_ms = 0;  // over 0: claim what is missing for so long, unless another has; costs two more round trips
};

// A Match that waits for what another worker computes. It ends as soon as
//   - more than have_tokens can be restored (at least step_tokens more, if there is more to come): load that, then wait
//     for the rest with a higher have_tokens, and so stay right behind the writer;
//   - the other worker gave up or died, and this one has the claim: kClaimed. Exactly one of those who wait gets it;
//   - nothing is missing any more, nobody computes what is (kNone), or the deadline has come (kComputing).
struct WaitRequest {
  std::vector<KeyList> groups;
  uint64_t have_tokens = 0;  // the caller has these: their blocks count as here, and are not asked for
  uint64_t step_tokens = 0;  // each Wait names all keys that are left to the node: a 64th of the prompt is a good step
  uint32_t claim_ms = 0;     // 0 = do not claim what nobody computes any more, but end
  uint32_t deadline_ms = 0;  // 0 = default_deadline_ms
};

struct MatchResult {
  std::vector<std::vector<Presence>> presence;  // by group, then block; a block in parts counts if all parts are there
  std::vector<uint64_t> restorable_tokens;      // every length at which all groups' hit rules are met, ascending
  uint64_t longest_tokens() const { return restorable_tokens.empty() ? 0 : restorable_tokens.back(); }
  uint64_t ram_bytes = 0;  // to load for longest_tokens()
  uint64_t nvme_bytes = 0;
  Lease lease;
  uint32_t lease_ms = 0;  // granted: the shortest over the shards; 0 = nothing is pinned
  bool complete = true;   // false: a shard did not answer in time, its blocks are reported as misses
  // With claim_ms, and from Wait.
  Flight flight = Flight::kNone;
  Claim claim;                // held with kClaimed
  uint32_t claim_ms = 0;      // granted: the shortest over the shards
  uint32_t computing_ms = 0;  // kComputing: for how long, where the node said so
  // Without a prefill rate: true and zeros.
  bool worth_loading = true;
  uint64_t load_time_us = 0;       // predicted, for longest_tokens()
  uint64_t recompute_time_us = 0;  // longest_tokens() at prefill_tokens_per_s
};

// One block to load. `key` and the destination must stay until the call has ended.
struct LoadItem {
  GroupIndex group = 0;
  uint32_t depth_tokens = 0;  // of the block's first token
  ByteView key;
  iovec buffer{};                   // destination, if it is in one piece
  std::span<const iovec> pieces{};  // otherwise its pieces, in order; `buffer` is ignored then
};

struct LoadRequest {
  std::vector<LoadItem> items;
  // Range of segments of every block (over all its parts), clipped to what its group has. Each destination holds
  // exactly the bytes of that range: (segments in range) * SegmentBytes().
  uint16_t first_segment = 0;
  uint16_t segment_count = wire::kAllSegments;
  uint64_t stamp_ns = 0;
  uint32_t deadline_ms = 0;
  // What computing instead would cover, for the deadline under a prefill rate; 0 = the span of the items' tokens.
  uint64_t recompute_tokens = 0;
};

// status: kOk = hit, verified. kMiss, kDamaged (failed its checksum, or what sealed it), kIoError, kExpired (deadline,
// or the shard cannot be reached), kBusy, kRejected: all misses, and the destination's bytes are then unspecified.
// Nothing is written to any destination after the call has ended.
struct LoadResult {
  std::vector<BlockStatus> status;  // by item
  std::vector<Presence> tier;       // by item: where a hit came from
  uint64_t hits = 0;
  uint64_t bytes = 0;  // of hits
};

// The longest restorable length, in tokens from the prompt's start, that the hits of a load make: what is left where
// some blocks did not come. Blocks that were not asked for count as missing. Pure.
uint64_t RestorableTokens(const Layout& layout, const LoadRequest& request, const LoadResult& result);

// A key with its place, for calls that move no payload.
struct BlockName {
  GroupIndex group = 0;
  uint32_t depth_tokens = 0;
  ByteView key;
};

struct OfferRequest {
  std::vector<BlockName> blocks;
  uint64_t stamp_ns = 0;
  uint32_t deadline_ms = 0;
};

// One whole block to store: BlockBytes() of its group, which must not change until the call has ended.
struct StoreItem {
  GroupIndex group = 0;
  uint32_t depth_tokens = 0;
  ByteView key;
  iovec buffer{};
  std::span<const iovec> pieces{};
};

struct StoreRequest {
  std::vector<StoreItem> items;
  uint64_t stamp_ns = 0;
  uint32_t deadline_ms = 0;
  bool offer_first = true;  // ask which blocks are wanted, send only those
};

// Offer: kWanted, kPresent, or why not (kBusy, kRejected, kExpired). Store: kOk = stored, kPresent, kConflict (other
// bytes are there and stay), kBusy, kRejected, kDamaged, kExpired. Touch and Remove: kOk, kMiss, kExpired ...
// kExpired also stands for a shard that cannot be reached.
struct StatusResult {
  std::vector<BlockStatus> status;  // by block; of blocks in parts, the least successful part's
  uint64_t Count(BlockStatus wanted) const;
};

struct TouchRequest {
  std::vector<BlockName> blocks;
  uint64_t stamp_ns = 0;
  uint32_t ttl_ms = 0;       // hint: of no use after that, 0 = none
  uint32_t next_use_ms = 0;  // hint: expected next use, 0 = none
  uint32_t deadline_ms = 0;
};

struct RemoveRequest {
  std::vector<BlockName> blocks;
  uint32_t deadline_ms = 0;
};

struct ShardStats {
  uint16_t shard = 0;
  std::vector<std::pair<std::string, uint64_t>> values;
  uint64_t node_id = 0;
};

// What this client has seen since it was made.
struct ClientCounters {
  uint64_t matches = 0, loads = 0, stores = 0;
  uint64_t blocks_loaded = 0, bytes_loaded = 0;
  uint64_t blocks_stored = 0, bytes_stored = 0;
  uint64_t damaged_segments = 0;  // payload that failed its checksum after landing
  uint64_t forged_segments = 0;   // with a right checksum, but not sealed for their place, or not decodable: damaged
  uint64_t refused_blocks = 0;    // of another codec than is accepted here, or cut differently: rejected
  uint64_t protocol_errors = 0;   // replies that made no sense; each closes its connection
  uint64_t expired_calls = 0;     // requests to a shard that had no answer by their deadline
  uint64_t busy_replies = 0;
  uint64_t loads_held_back = 0;  // busy without asking, since the shard had said when to ask again
  uint64_t connections = 0, connection_failures = 0, breaker_opened = 0;
  uint64_t guarded_matches = 0;    // reported as not worth loading
  uint64_t waits = 0, claims = 0;  // calls of Wait; claims got, by Match or Wait
  uint64_t shared_loads = 0;       // requests whose bytes the node put into shared memory itself
  uint64_t shared_stores = 0;      // requests whose bytes it took from there
  uint64_t copy_hits = 0;          // blocks loaded from a node other than their owner
  uint64_t second_tries = 0;       // blocks asked for at another node, since the first did not give them (in time)
  uint64_t copies_made = 0;        // of hot blocks, stored at other nodes after a load
  // Of blocks that a codec was tried on, what they are and what was sent for them, coded or not; of coded ones loaded.
  uint64_t coded_raw_bytes = 0, coded_stored_bytes = 0;
  uint64_t decoded_raw_bytes = 0, decoded_stored_bytes = 0;
};

// What a node said of itself; of a cluster's node that has never answered, what the map says.
struct NodeInfo {
  bool connected = false;
  std::string address;
  std::string name;
  uint64_t node_id = 0;
  uint64_t incarnation = 0;
  uint16_t shard_count = 0;
};

template <typename T>
using Callback = std::function<void(absl::StatusOr<T>)>;

// Owner: the engine. Destroying it ends outstanding calls (as expired or Unavailable, callbacks included) and waits
// until nothing refers to caller memory any more; REQUIRES: no blocking call is in progress, not called from a
// callback.
//
// Requests hold views: keys, pieces and buffers must stay as they are until the blocking call returns or the callback
// runs. Callbacks run on the client's own thread (kThread) or inside Poll() and blocking calls (kCaller); they may
// start further Async calls but must not make blocking calls.
//
// Cost: Match is one round trip to all shards in parallel and about 40 ns a key; Load and Store copy no payload, and
// with a sealing key pass over it once, on the thread that does the work, with a codec on threads of their own.
class Client {
 public:
  // InvalidArgument: options, layout or the file of the sealing key. Unavailable, DeadlineExceeded: no node answers at
  // `address` (not with connect_lazily). FailedPrecondition: protocol versions do not meet, the kernel refuses
  // io_uring, or the client has a secret and the node asks for none. Unauthenticated: the node does not know the tenant
  // by this secret, or could not prove that it knows it too. ResourceExhausted: too many failures before this one.
  // PermissionDenied: the tenant may not use the namespace, or secret_file is open to others. Files are read here,
  // once.
  static absl::StatusOr<std::unique_ptr<Client>> Connect(ClientOptions options);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  absl::StatusOr<MatchResult> Match(MatchRequest request);
  // No lease, and worth_loading is not judged. Costs one request to each shard, and a frame of a few bytes for each
  // thing that changes there.
  absl::StatusOr<MatchResult> Wait(WaitRequest request);
  absl::StatusOr<LoadResult> Load(LoadRequest request);
  absl::StatusOr<StatusResult> Offer(OfferRequest request);
  // Unavailable if no shard concerned could be reached.
  absl::StatusOr<StatusResult> Store(StoreRequest request);
  absl::StatusOr<StatusResult> Touch(TouchRequest request);
  absl::StatusOr<StatusResult> Remove(RemoveRequest request);
  // One entry per shard that answered; Unavailable if none did.
  absl::StatusOr<std::vector<ShardStats>> Stats();

  void MatchAsync(MatchRequest request, Callback<MatchResult> done);
  void WaitAsync(WaitRequest request, Callback<MatchResult> done);
  void LoadAsync(LoadRequest request, Callback<LoadResult> done);
  void OfferAsync(OfferRequest request, Callback<StatusResult> done);
  void StoreAsync(StoreRequest request, Callback<StatusResult> done);
  void TouchAsync(TouchRequest request, Callback<StatusResult> done);
  void RemoveAsync(RemoveRequest request, Callback<StatusResult> done);
  // kCaller: moves outstanding work along, waiting at most `wait_us` for something to happen. kThread: does nothing.
  void Poll(uint32_t wait_us = 0);

  // Wall-clock nanoseconds, strictly ascending within this client. Any thread.
  uint64_t NewStamp();

  const ClientOptions& options() const;
  ClientCounters counters();
  NodeInfo node();
  // Of a cluster: its nodes that serve, in the order of the map. Of one node: that one.
  std::vector<NodeInfo> nodes();
  // Of the cluster's map by which blocks are placed; 0 before the first, and with one node.
  uint64_t epoch();

 private:
  class Impl;
  explicit Client(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;
};

}  // namespace incipit
