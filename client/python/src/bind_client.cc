#include <fmt/format.h>
#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "client/python/src/bind.h"
#include "client/python/src/native_client.h"

namespace incipit::python {
namespace {

using namespace nb::literals;
using NativeClass = nb::class_<NativeClient>;

// Signatures for the stubs, which name the loosely typed arguments.
#define GROUPS_ARG "groups: collections.abc.Sequence[PackedKeys | collections.abc.Sequence[bytes] | object]"
#define BLOCKS_ARG "blocks: collections.abc.Iterable[tuple[int, int, bytes, object]]"
#define NAMES_ARG "names: collections.abc.Iterable[tuple[int, int, bytes] | tuple[int, int, bytes, object]]"
#define MATCH_ARGS                                                    \
  "(self, " GROUPS_ARG                                                \
  ", *, stamp_ns: int = 0, lease_ms: int = 0, deadline_ms: int = 0, " \
  "claim_ms: int = 0)"
#define WAIT_ARGS                                                        \
  "(self, " GROUPS_ARG                                                   \
  ", *, have_tokens: int = 0, step_tokens: int = 0, claim_ms: int = 0, " \
  "deadline_ms: int = 0)"
#define LOAD_ARGS                                                                      \
  "(self, " BLOCKS_ARG                                                                 \
  ", *, first_segment: int = 0, segment_count: int | None = None, stamp_ns: int = 0, " \
  "deadline_ms: int = 0, recompute_tokens: int = 0)"
#define STORE_ARGS "(self, " BLOCKS_ARG ", *, stamp_ns: int = 0, deadline_ms: int = 0, offer_first: bool = True)"
#define OFFER_ARGS "(self, " NAMES_ARG ", *, stamp_ns: int = 0, deadline_ms: int = 0)"
#define TOUCH_ARGS \
  "(self, " NAMES_ARG ", *, stamp_ns: int = 0, ttl_ms: int = 0, next_use_ms: int = 0, deadline_ms: int = 0)"
#define REMOVE_ARGS "(self, " NAMES_ARG ", *, deadline_ms: int = 0)"

nb::bytes BytesOf(const StatusResult& result) { return nb::bytes(result.status.data(), result.status.size()); }

void Construct(NativeClient* self, std::string address, std::string model, const Layout& layout, std::string tenant,
               std::string secret_file, std::string namespace_owner, std::string client_name, bool connect_lazily,
               uint32_t connect_timeout_ms, uint32_t default_deadline_ms, uint64_t max_inflight_bytes,
               double prefill_tokens_per_s, uint32_t busy_retries, const std::optional<std::string>& dtype,
               std::string sealing_key_file, const std::optional<nb::bytes>& sealing_key, std::string codec,
               uint32_t codec_threads, uint32_t replicas) {
  std::optional<ElementType> element_type;
  if (dtype.has_value()) {
    element_type = ElementType::FromName(*dtype);
    if (!element_type.has_value()) {
      Raise(ErrorKind::kInvalidArgument,
            fmt::format("dtype: expected the name of an element type, as 'bfloat16', found '{}'", *dtype));
    }
  }
  ClientOptions options;
  options.address = std::move(address);
  options.tenant = std::move(tenant);
  options.secret_file = std::move(secret_file);
  options.namespace_owner = std::move(namespace_owner);
  options.model = std::move(model);
  options.layout = layout;
  options.client_name = std::move(client_name);
  options.connect_lazily = connect_lazily;
  options.connect_timeout_ms = connect_timeout_ms;
  options.default_deadline_ms = default_deadline_ms;
  options.max_inflight_bytes = max_inflight_bytes;
  options.busy_retries = busy_retries;
  options.prefill_tokens_per_s = prefill_tokens_per_s;
  options.sealing_key_file = std::move(sealing_key_file);
  if (sealing_key.has_value()) {
    const auto* bytes = static_cast<const uint8_t*>(sealing_key->data());
    auto key = SealingKey::FromBytes({bytes, sealing_key->size()});
    if (!key.ok()) Raise(ErrorKind::kInvalidArgument, std::string(key.status().message()));
    options.sealing_key = *std::move(key);
  }
  options.codec = std::move(codec);
  options.codec_threads = codec_threads;
  options.replicas = replicas;
  new (self) NativeClient(std::move(options), element_type);
}

nb::dict StatsOf(NativeClient& client) {
  nb::dict shards;
  const std::vector<ShardStats> all = client.Stats();
  const bool of_one_node = all.empty() || all.front().node_id == all.back().node_id;
  for (size_t i = 0; i < all.size(); ++i) {
    const ShardStats& stats = all[i];
    nb::dict values;
    for (const auto& [name, value] : stats.values) values[nb::str(name.data(), name.size())] = value;
    shards[nb::int_(of_one_node ? stats.shard : i)] = values;
  }
  return shards;
}

nb::dict CountersOf(NativeClient& client) {
  const ClientCounters counters = client.Counters();
  nb::dict values;
#define INCIPIT_COUNTER(name) values[#name] = counters.name
  INCIPIT_COUNTER(matches);
  INCIPIT_COUNTER(loads);
  INCIPIT_COUNTER(stores);
  INCIPIT_COUNTER(blocks_loaded);
  INCIPIT_COUNTER(bytes_loaded);
  INCIPIT_COUNTER(blocks_stored);
  INCIPIT_COUNTER(bytes_stored);
  INCIPIT_COUNTER(damaged_segments);
  INCIPIT_COUNTER(forged_segments);
  INCIPIT_COUNTER(coded_raw_bytes);
  INCIPIT_COUNTER(coded_stored_bytes);
  INCIPIT_COUNTER(decoded_raw_bytes);
  INCIPIT_COUNTER(decoded_stored_bytes);
  INCIPIT_COUNTER(refused_blocks);
  INCIPIT_COUNTER(protocol_errors);
  INCIPIT_COUNTER(expired_calls);
  INCIPIT_COUNTER(busy_replies);
  INCIPIT_COUNTER(loads_held_back);
  INCIPIT_COUNTER(connections);
  INCIPIT_COUNTER(connection_failures);
  INCIPIT_COUNTER(breaker_opened);
  INCIPIT_COUNTER(guarded_matches);
  INCIPIT_COUNTER(waits);
  INCIPIT_COUNTER(claims);
  INCIPIT_COUNTER(copy_hits);
  INCIPIT_COUNTER(second_tries);
  INCIPIT_COUNTER(copies_made);
#undef INCIPIT_COUNTER
  return values;
}

// `function` takes (client, blocks or groups, options made of the keyword arguments).
template <typename Function>
auto MatchCall(Function function) {
  return [function](NativeClient& client, nb::handle groups, uint64_t stamp_ns, uint32_t lease_ms, uint32_t deadline_ms,
                    uint32_t claim_ms) {
    return (client.*function)(
        groups, {.stamp_ns = stamp_ns, .lease_ms = lease_ms, .deadline_ms = deadline_ms, .claim_ms = claim_ms});
  };
}
template <typename Function>
auto WaitCall(Function function) {
  return [function](NativeClient& client, nb::handle groups, uint64_t have_tokens, uint64_t step_tokens,
                    uint32_t claim_ms, uint32_t deadline_ms) {
    return (client.*function)(groups, {have_tokens, step_tokens, claim_ms, deadline_ms});
  };
}
template <typename Function>
auto LoadCall(Function function) {
  return
      [function](NativeClient& client, nb::handle blocks, uint16_t first_segment, std::optional<uint16_t> segment_count,
                 uint64_t stamp_ns, uint32_t deadline_ms, uint64_t recompute_tokens) {
        return (client.*function)(blocks, {.first_segment = first_segment,
                                           .segment_count = segment_count,
                                           .stamp_ns = stamp_ns,
                                           .deadline_ms = deadline_ms,
                                           .recompute_tokens = recompute_tokens});
      };
}

void BindBlocking(NativeClass* type) {
  type->def("match", MatchCall(&NativeClient::DoMatch), nb::sig("def match" MATCH_ARGS " -> Match"), "groups"_a,
            nb::kw_only(), "stamp_ns"_a = 0, "lease_ms"_a = 0, "deadline_ms"_a = 0, "claim_ms"_a = 0,
            "Which blocks of a prompt the node holds, and at which lengths it can be restored.\n\n"
            "groups: for each group of the layout its keys in chain order: PackedKeys, a uint8 array of shape (count,\n"
            "key_bytes), or a sequence of bytes of 1 to 64 each. lease_ms: pins what is found for so long; 0 = not at\n"
            "all. claim_ms: announces for so long that this worker computes what is missing, unless another has: see\n"
            "Match.claimed and Match.computing. A node that cannot be reached holds nothing: no error, complete is\n"
            "False.\n\n"
            "InvalidArgument: too many groups, a key's type or length. BufferMismatch: an array's shape or type.")
      .def("wait", WaitCall(&NativeClient::DoWait), nb::sig("def wait" WAIT_ARGS " -> Match"), "groups"_a,
           nb::kw_only(), "have_tokens"_a = 0, "step_tokens"_a = 0, "claim_ms"_a = 0, "deadline_ms"_a = 0,
           "A match that waits for what another worker computes. It ends when more than have_tokens can be restored\n"
           "(at least step_tokens more, if there is more to come), when the other gave up and this worker has the\n"
           "claim, when nobody computes what is missing, or at the deadline. No lease. Errors as match().")
      .def("load", LoadCall(&NativeClient::DoLoad), nb::sig("def load" LOAD_ARGS " -> LoadResult"), "blocks"_a,
           nb::kw_only(), "first_segment"_a = 0, "segment_count"_a = nb::none(), "stamp_ns"_a = 0, "deadline_ms"_a = 0,
           "recompute_tokens"_a = 0,
           "Reads blocks into their buffers.\n\n"
           "blocks: (group, depth_tokens, key, buffer). A buffer is C-contiguous writable host memory, a Region, or a\n"
           "sequence of (Region, offset_bytes, length_bytes), of exactly the bytes of the segments asked for. Damage,\n"
           "refusals, a dead node and the deadline are misses, never errors.\n\n"
           "InvalidArgument: group, key, segment range. BufferMismatch: size, dtype, order, writability.\n"
           "UnsupportedDevice: memory of a GPU.")
      .def(
          "store",
          [](NativeClient& client, nb::handle blocks, uint64_t stamp_ns, uint32_t deadline_ms, bool offer_first) {
            return BytesOf(client.DoStore(blocks, {stamp_ns, deadline_ms, offer_first}));
          },
          nb::sig("def store" STORE_ARGS " -> bytes"), "blocks"_a, nb::kw_only(), "stamp_ns"_a = 0, "deadline_ms"_a = 0,
          "offer_first"_a = true,
          "Writes whole blocks; the buffers must not change meanwhile. One byte for each, a BlockStatus.\n\n"
          "offer_first: ask which blocks are wanted, send only those. Unavailable: no shard concerned could be\n"
          "reached. Other errors as load().")
      .def(
          "offer",
          [](NativeClient& client, nb::handle names, uint64_t stamp_ns, uint32_t deadline_ms) {
            return BytesOf(client.DoOffer(names, {stamp_ns, deadline_ms}));
          },
          nb::sig("def offer" OFFER_ARGS " -> bytes"), "names"_a, nb::kw_only(), "stamp_ns"_a = 0, "deadline_ms"_a = 0,
          "Which blocks the node wants stored: WANTED, PRESENT or why not, one byte for each.\n\n"
          "names: (group, depth_tokens, key), or whole blocks. InvalidArgument: group or key.")
      .def(
          "touch",
          [](NativeClient& client, nb::handle names, uint64_t stamp_ns, uint32_t ttl_ms, uint32_t next_use_ms,
             uint32_t deadline_ms) {
            return BytesOf(client.DoTouch(names, {stamp_ns, ttl_ms, next_use_ms, deadline_ms}));
          },
          nb::sig("def touch" TOUCH_ARGS " -> bytes"), "names"_a, nb::kw_only(), "stamp_ns"_a = 0, "ttl_ms"_a = 0,
          "next_use_ms"_a = 0, "deadline_ms"_a = 0,
          "Marks blocks as used, with hints of when they are next (0 = none). One BlockStatus byte for each.")
      .def(
          "remove",
          [](NativeClient& client, nb::handle names, uint32_t deadline_ms) {
            return BytesOf(client.DoRemove(names, deadline_ms));
          },
          nb::sig("def remove" REMOVE_ARGS " -> bytes"), "names"_a, nb::kw_only(), "deadline_ms"_a = 0,
          "Removes blocks from all tiers. One BlockStatus byte for each: OK, MISS or why not.");
}

void BindSubmitting(NativeClass* type) {
  type->def("submit_match", MatchCall(&NativeClient::SubmitMatch), nb::sig("def submit_match" MATCH_ARGS " -> int"),
            "groups"_a, nb::kw_only(), "stamp_ns"_a = 0, "lease_ms"_a = 0, "deadline_ms"_a = 0, "claim_ms"_a = 0,
            "Starts match() and gives the token that its completion will carry. Errors of arguments are raised here.")
      .def("submit_wait", WaitCall(&NativeClient::SubmitWait), nb::sig("def submit_wait" WAIT_ARGS " -> int"),
           "groups"_a, nb::kw_only(), "have_tokens"_a = 0, "step_tokens"_a = 0, "claim_ms"_a = 0, "deadline_ms"_a = 0,
           "Starts wait().")
      .def("submit_load", LoadCall(&NativeClient::SubmitLoad), nb::sig("def submit_load" LOAD_ARGS " -> int"),
           "blocks"_a, nb::kw_only(), "first_segment"_a = 0, "segment_count"_a = nb::none(), "stamp_ns"_a = 0,
           "deadline_ms"_a = 0, "recompute_tokens"_a = 0,
           "Starts load(). The buffers are written to until its completion has been taken.")
      .def(
          "submit_store",
          [](NativeClient& client, nb::handle blocks, uint64_t stamp_ns, uint32_t deadline_ms, bool offer_first) {
            return client.SubmitStore(blocks, {stamp_ns, deadline_ms, offer_first});
          },
          nb::sig("def submit_store" STORE_ARGS " -> int"), "blocks"_a, nb::kw_only(), "stamp_ns"_a = 0,
          "deadline_ms"_a = 0, "offer_first"_a = true,
          "Starts store(). The buffers must not change until its completion has been taken.")
      .def(
          "submit_offer",
          [](NativeClient& client, nb::handle names, uint64_t stamp_ns, uint32_t deadline_ms) {
            return client.SubmitOffer(names, {stamp_ns, deadline_ms});
          },
          nb::sig("def submit_offer" OFFER_ARGS " -> int"), "names"_a, nb::kw_only(), "stamp_ns"_a = 0,
          "deadline_ms"_a = 0, "Starts offer().")
      .def(
          "submit_touch",
          [](NativeClient& client, nb::handle names, uint64_t stamp_ns, uint32_t ttl_ms, uint32_t next_use_ms,
             uint32_t deadline_ms) {
            return client.SubmitTouch(names, {stamp_ns, ttl_ms, next_use_ms, deadline_ms});
          },
          nb::sig("def submit_touch" TOUCH_ARGS " -> int"), "names"_a, nb::kw_only(), "stamp_ns"_a = 0, "ttl_ms"_a = 0,
          "next_use_ms"_a = 0, "deadline_ms"_a = 0, "Starts touch().")
      .def("submit_remove", &NativeClient::SubmitRemove, nb::sig("def submit_remove" REMOVE_ARGS " -> int"), "names"_a,
           nb::kw_only(), "deadline_ms"_a = 0, "Starts remove().")
      .def("event_fd", &NativeClient::EventDescriptor,
           "Descriptor of an eventfd that is readable while completions wait to be taken. Poll it; do not close it.")
      .def("drain_completions", &NativeClient::TakeCompletions,
           nb::sig("def drain_completions(self) -> list[tuple[int, Match | LoadResult | bytes | None, "
                   "BaseException | None]]"),
           "Takes all completions, oldest first: (token, result, error), one of the two None. Never blocks; also\n"
           "after close().")
      .def_prop_ro("in_flight", &NativeClient::InFlight, "Submitted calls whose completions have not been taken.");
}

}  // namespace

void BindClient(nb::module_& module) {
  NativeClass type(module, "NativeClient",
                   "The client without staging or asyncio: blocking calls, and submit_*() with completions over an\n"
                   "eventfd. Any thread. Blocking calls release the GIL; keys and buffers are held until they end.");
  type.def(
      "__init__", &Construct,
      nb::sig("def __init__(self, address: str, model: str, layout: Layout, *, tenant: str = 'default', "
              "secret_file: str = '', namespace_owner: str = '', client_name: str = '', connect_lazily: bool = False, "
              "connect_timeout_ms: int = 2000, "
              "default_deadline_ms: int = 2000, max_inflight_bytes: int = 67108864, "
              "prefill_tokens_per_s: float = 0.0, busy_retries: int = 4, dtype: str | None = None, "
              "sealing_key_file: str = '', sealing_key: bytes | None = None, codec: str = '', "
              "codec_threads: int = 0, replicas: int = 1) -> None"),
      "address"_a, "model"_a, "layout"_a, nb::kw_only(), "tenant"_a = "default", "secret_file"_a = "",
      "namespace_owner"_a = "", "client_name"_a = "", "connect_lazily"_a = false, "connect_timeout_ms"_a = 2000,
      "default_deadline_ms"_a = 2000, "max_inflight_bytes"_a = 64 * kMiB, "prefill_tokens_per_s"_a = 0.0,
      "busy_retries"_a = 4, "dtype"_a = nb::none(), "sealing_key_file"_a = "", "sealing_key"_a = nb::none(),
      "codec"_a = "", "codec_threads"_a = 0, "replicas"_a = 1,
      "Connects to the node at `address`, \"tcp://host:port\" of any of its shards, or to a cluster by some of its "
      "nodes,\n"
      "\"cluster://host:port,host:port\".\n\n"
      "secret_file: with the tenant's secret, where the node has tenants. namespace_owner: tenant whose blocks are\n"
      "used, if it grants that; '' = the client's own.\n"
      "connect_lazily: do not wait for a node; calls miss until there is one. max_inflight_bytes: payload asked\n"
      "for and not yet received, per shard. prefill_tokens_per_s: of the engine; what is slower to load than to\n"
      "compute is then a miss. dtype: name that buffers' elements must have unless they are uint8.\n"
      "sealing_key_file, sealing_key: blocks are encrypted with the key in this file, or these 32 bytes, and no\n"
      "others are accepted.\n"
      "codec: how blocks are stored: '' as they are, 'bf16-lossless', 'bf16-lossless-fast', 'fp8-lossless', or\n"
      "'fp8', which is lossy and whose blocks only clients with it see. Whatever is stored losslessly every client\n"
      "reads. With a sealing key coded, then sealed. codec_threads: that code and decode; 0 = half the processors, 1\n"
      "to 4; of one or two the client's own thread codes too.\n"
      "replicas: in a cluster, how many nodes get each block that is stored.\n\n"
      "InvalidArgument: an option. Unavailable: no node answers. Refused: versions do not meet, no\n"
      "io_uring, or the credentials do not count there.");
  BindBlocking(&type);
  BindSubmitting(&type);
  type.def("stats", &StatsOf, nb::sig("def stats(self) -> dict[int, dict[str, int]]"),
           "Metrics of the node by shard; of a cluster, by the shards of all nodes, numbered one after the other.\n"
           "Unavailable: no shard answered.")
      .def("counters", &CountersOf, nb::sig("def counters(self) -> dict[str, int]"),
           "What this client has seen since it was made, as matches, bytes_loaded, expired_calls.")
      .def("node", &NativeClient::Node, "What the node said of itself; of a cluster, all its nodes in one.")
      .def("nodes", &NativeClient::Nodes, "Of a cluster its nodes that serve; else the node.")
      .def("new_stamp", &NativeClient::NewStamp,
           "Wall-clock nanoseconds, strictly ascending: one for all calls of one request of the engine.")
      .def_prop_ro(
          "layout", [](const NativeClient& client) { return client.options().layout; }, "The layout.")
      .def_prop_ro(
          "address", [](const NativeClient& client) { return client.options().address; }, "The address.")
      .def_prop_ro("closed", &NativeClient::closed, "Whether close() was called.")
      .def("close", &NativeClient::Close,
           "Ends submitted calls as expired (their completions can still be taken), waits for blocking calls of other\n"
           "threads, which end by their deadlines, and disconnects. May be called again.");
}

}  // namespace incipit::python
