#include <fmt/format.h>
#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "client/python/src/bind.h"
#include "client/python/src/errors.h"
#include "client/python/src/match.h"

namespace incipit::python {
namespace {

template <typename Enum>
nb::bytes BytesOf(const std::vector<Enum>& values) {
  static_assert(sizeof(Enum) == 1);
  return nb::bytes(values.data(), values.size());
}

nb::bytes PresenceOf(const Match& match, size_t group) {
  const size_t groups = match.result().presence.size();
  if (group >= groups) {
    Raise(ErrorKind::kInvalidArgument,
          fmt::format("presence: group: expected 0 to {}, found {}", static_cast<int64_t>(groups) - 1, group));
  }
  return BytesOf(match.result().presence[group]);
}

// A field of the C++ result as a read-only property.
template <auto kField>
auto Field(const Match& match) {
  return match.result().*kField;
}

void BindMatch(nb::module_& module) {
  nb::class_<Match>(module, "Match", nb::is_final(),
                    "What the node holds of a prompt, the lease that keeps it there, and who computes the rest.\n\n"
                    "A context manager: leaving it or the end of the object lets the node forget lease and claim.")
      .def("presence", &PresenceOf, nb::arg("group"),
           "One byte for each key asked for in `group`: 0 miss, 1 RAM, 2 NVMe (see Presence).\n\n"
           "InvalidArgument: the layout has no such group.")
      .def_prop_ro("restorable_tokens", &Field<&MatchResult::restorable_tokens>,
                   "Every length at which all groups' hit rules are met, ascending. Made anew on each access.")
      .def_prop_ro(
          "longest_tokens", [](const Match& match) { return match.result().longest_tokens(); },
          "The longest of them; 0 if nothing can be restored.")
      .def_prop_ro("ram_bytes", &Field<&MatchResult::ram_bytes>, "To load from RAM for longest_tokens.")
      .def_prop_ro("nvme_bytes", &Field<&MatchResult::nvme_bytes>, "To load from NVMe for longest_tokens.")
      .def_prop_ro("lease_ms", &Field<&MatchResult::lease_ms>, "How long the node keeps the blocks; 0 = no lease.")
      .def_prop_ro("leased", &Match::leased, "Whether a lease is held that has not been released.")
      .def_prop_ro("complete", &Field<&MatchResult::complete>,
                   "False: a shard did not answer in time, and its blocks are reported as misses.")
      .def_prop_ro("worth_loading", &Field<&MatchResult::worth_loading>,
                   "Whether loading is predicted to be faster than computing; True without a prefill rate.")
      .def_prop_ro("load_time_us", &Field<&MatchResult::load_time_us>, "Predicted for longest_tokens.")
      .def_prop_ro("recompute_time_us", &Field<&MatchResult::recompute_time_us>,
                   "Of longest_tokens at the client's prefill rate.")
      .def_prop_ro(
          "claimed", [](const Match& match) { return match.result().flight == Flight::kClaimed; },
          "Whether what is missing was claimed: this worker should compute it, others may wait for it.")
      .def_prop_ro(
          "computing", [](const Match& match) { return match.result().flight == Flight::kComputing; },
          "Whether another worker, which is alive, computes what is missing: wait() for it, or compute it too.")
      .def_prop_ro("claim_ms", &Field<&MatchResult::claim_ms>, "How long the claim holds unless it is renewed.")
      .def_prop_ro("computing_ms", &Field<&MatchResult::computing_ms>, "For how long the other has been at it.")
      .def("renew", &Match::Renew, "Prolongs the claim by what was asked for, from now. Never blocks.")
      .def("release_claim", &Match::ReleaseClaim,
           "Gives the claim up, so that a worker that waits can take it. Never blocks.")
      .def("release", &Match::Release, "Gives the lease back; does nothing if there is none. Never blocks.")
      .def(
          "__enter__", [](nb::object self) { return self; }, nb::sig("def __enter__(self) -> Match"), "The match.")
      .def(
          "__exit__",
          [](Match& match, nb::args) {
            match.Release();
            match.ReleaseClaim();
          },
          nb::sig("def __exit__(self, *exc_info: object) -> None"), "Releases lease and claim.")
      .def("__repr__", [](const Match& match) {
        return fmt::format("Match(longest_tokens={}, ram_bytes={}, nvme_bytes={}, lease_ms={}, complete={})",
                           match.result().longest_tokens(), match.result().ram_bytes, match.result().nvme_bytes,
                           match.result().lease_ms, match.result().complete ? "True" : "False");
      });
}

}  // namespace

void BindResults(nb::module_& module) {
  BindMatch(module);
  nb::class_<LoadResult>(module, "LoadResult", nb::is_final(),
                         "What became of the blocks of a load. Whatever is not a hit is a miss, and its destination's\n"
                         "bytes are unspecified.")
      .def_prop_ro(
          "status", [](const LoadResult& result) { return BytesOf(result.status); },
          "One byte for each block, a BlockStatus: 0 is a verified hit.")
      .def_prop_ro(
          "tiers", [](const LoadResult& result) { return BytesOf(result.tier); },
          "One byte for each block, a Presence: where a hit came from.")
      .def_ro("hits", &LoadResult::hits, "How many blocks were loaded.")
      .def_ro("loaded_bytes", &LoadResult::bytes, "Bytes of hits.")
      .def("__repr__", [](const LoadResult& result) {
        return fmt::format("LoadResult(hits={} of {}, loaded_bytes={})", result.hits, result.status.size(),
                           result.bytes);
      });
  nb::class_<NodeInfo>(module, "NodeInfo", nb::is_final(), "What the node said of itself.")
      .def_ro("connected", &NodeInfo::connected, "Whether there is a connection now.")
      .def_ro("address", &NodeInfo::address, "Where it is.")
      .def_ro("name", &NodeInfo::name, "For people.")
      .def_ro("node_id", &NodeInfo::node_id, "Stays the same over restarts if the node keeps its state.")
      .def_ro("incarnation", &NodeInfo::incarnation, "Differs after each start of the node.")
      .def_ro("shard_count", &NodeInfo::shard_count, "Shards of the node; 0 before the first connection.")
      .def("__repr__", [](const NodeInfo& node) {
        return fmt::format("NodeInfo('{}', connected={}, shard_count={})", node.name, node.connected ? "True" : "False",
                           node.shard_count);
      });
}

}  // namespace incipit::python
