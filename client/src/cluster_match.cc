#include "client/src/cluster_match.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "cache/base/status_macros.h"
#include "client/src/fan_out.h"
#include "client/src/restorable_lengths.h"

namespace incipit {
namespace {

// What one node is asked for: by group, keys and where each stands in the whole chain.
struct Part {
  std::vector<std::vector<BlockKey>> keys;
  std::vector<std::vector<size_t>> blocks;
  bool empty = true;
};

absl::Status CheckRequest(const Layout& layout, const MatchRequest& request) {
  if (request.claim_ms != 0) return absl::InvalidArgumentError("MatchRequest.claim_ms: claims do not span nodes");
  if (request.groups.size() != layout.groups.size()) {
    return absl::InvalidArgumentError(absl::StrCat("MatchRequest.groups: ", request.groups.size(),
                                                   " lists, the layout has ", layout.groups.size(), " groups"));
  }
  for (size_t group = 0; group < request.groups.size(); ++group) {
    for (size_t i = 0; i < request.groups[group].size(); ++i) {
      const size_t bytes = request.groups[group][i].size();
      if (bytes >= 1 && bytes <= kMaxKeyBytes) continue;
      return absl::InvalidArgumentError(absl::StrCat("MatchRequest: key ", i, " of group ", group, " has ", bytes,
                                                     " bytes, allowed are 1 to ", kMaxKeyBytes));
    }
  }
  return absl::OkStatus();
}

// By node. *complete is false if a block's owner cannot be asked.
std::vector<Part> Split(const ClusterView& view, const MatchRequest& request, bool* complete) {
  std::vector<Part> parts(view.clients.size());
  for (Part& part : parts) {
    part.keys.resize(request.groups.size());
    part.blocks.resize(request.groups.size());
  }
  for (size_t group = 0; group < request.groups.size(); ++group) {
    for (size_t i = 0; i < request.groups[group].size(); ++i) {
      const ByteView key = request.groups[group][i];
      const size_t owner = view.OwnerOf(static_cast<GroupIndex>(group), key);
      if (owner == ClusterView::kNobody) {
        *complete = false;
        continue;
      }
      parts[owner].empty = false;
      parts[owner].keys[group].emplace_back(key);
      parts[owner].blocks[group].push_back(i);
    }
  }
  return parts;
}

void Take(const Part& part, MatchResult answer, MatchResult* whole, std::vector<Lease>* leases) {
  whole->complete = whole->complete && answer.complete;
  for (size_t group = 0; group < whole->presence.size(); ++group) {
    const std::vector<size_t>& blocks = part.blocks[group];
    for (size_t i = 0; i < blocks.size(); ++i) whole->presence[group][blocks[i]] = answer.presence[group][i];
  }
  if (!answer.lease.held()) return;
  whole->lease_ms = leases->empty() ? answer.lease_ms : std::min(whole->lease_ms, answer.lease_ms);
  leases->push_back(std::move(answer.lease));
}

}  // namespace

absl::StatusOr<MatchResult> RunClusterMatch(const ClusterView& view, const Layout& layout,
                                            const MatchRequest& request) {
  RETURN_IF_ERROR(CheckRequest(layout, request));
  MatchResult whole;
  const std::vector<Part> parts = Split(view, request, &whole.complete);
  for (const KeyList& keys : request.groups) whole.presence.emplace_back(keys.size(), Presence::kMiss);
  std::vector<Client*> clients;
  std::vector<MatchRequest> requests;
  std::vector<const Part*> asked;
  for (size_t node = 0; node < parts.size(); ++node) {
    if (parts[node].empty) continue;
    MatchRequest part = request;
    for (size_t group = 0; group < part.groups.size(); ++group) part.groups[group] = KeyList(parts[node].keys[group]);
    clients.push_back(view.clients[node].get());
    requests.push_back(std::move(part));
    asked.push_back(&parts[node]);
  }
  auto results = CallAll<MatchResult>(clients, std::move(requests), &Client::MatchAsync);
  const auto leases = std::make_shared<std::vector<Lease>>();
  for (size_t i = 0; i < results.size(); ++i) {
    if (IsMistake(results[i].status())) return results[i].status();
    if (results[i].ok()) {
      Take(*asked[i], *std::move(results[i]), &whole, leases.get());
    } else {
      whole.complete = false;
    }
  }
  if (!leases->empty()) whole.lease = Lease([leases] { leases->clear(); });
  whole.restorable_tokens = RestorableLengths(layout, whole.presence);
  if (whole.longest_tokens() > 0) {
    const TierBytes bytes = BytesToRestore(layout, whole.presence, whole.longest_tokens());
    whole.ram_bytes = bytes.ram;
    whole.nvme_bytes = bytes.nvme;
  }
  return whole;
}

}  // namespace incipit
