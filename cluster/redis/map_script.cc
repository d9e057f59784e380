#include "cluster/redis/map_script.h"

#include <algorithm>
#include <charconv>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "cache/base/status_macros.h"
#include "cluster/membership/cluster_map_json.h"

namespace incipit {
namespace {

// ARGV: verb, channel, known epoch, lease_ms, id, fence, failovers or nothing, then of the verb. The answer's first
// value says how it went.
constexpr char kScript[] = R"lua(
local meta, nodes, leases, gone = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local verb, channel, known_epoch = ARGV[1], ARGV[2], tonumber(ARGV[3])
local id, fence, failovers = ARGV[5], ARGV[6], tonumber(ARGV[7])

local version = redis.call('HGET', meta, 'version')
if version and version ~= '1' then return {'VERSION', version} end
local lease_ms = tonumber(redis.call('HGET', meta, 'lease_ms') or ARGV[4])
local epoch = tonumber(redis.call('HGET', meta, 'epoch') or '0')
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local changed = false
if epoch < known_epoch then
  epoch = known_epoch
  changed = version ~= false
end

local function remove(node)
  redis.call('ZREM', leases, node)
  redis.call('ZADD', gone, now, node)
  redis.call('HSET', nodes, node .. ':state', 'gone')
  changed = true
end

-- Nobody called for half a lease: it was Redis that was away, so nobody could renew. The same if the clock went back.
local seen = tonumber(redis.call('HGET', meta, 'seen_ms') or now)
if now - seen > lease_ms / 2 or now < seen then
  for _, node in ipairs(redis.call('ZRANGE', leases, 0, -1)) do redis.call('ZADD', leases, now + lease_ms, node) end
end
local ended = redis.call('ZRANGEBYSCORE', leases, '-inf', '(' .. string.format('%.0f', now))
for _, node in ipairs(ended) do remove(node) end
local forgotten = redis.call('ZRANGEBYSCORE', gone, '-inf', '(' .. string.format('%.0f', now - FORGET_MS))
for _, node in ipairs(forgotten) do
  redis.call('ZREM', gone, node)
  redis.call('HDEL', nodes, node .. ':record', node .. ':state', node .. ':fence')
  changed = true
end

-- Ends every verb: the new epoch, if there is one, and the answer, with the whole map if asked for.
local function finish(outcome, with_map)
  if version then redis.call('HSET', meta, 'seen_ms', string.format('%.0f', now)) end
  if changed then
    -- A time, so that an epoch never means another map, also after changes were lost: a counter would come to it
    -- again. Never ahead of the clock, or a time soon after the loss could meet one given before it. Where the clock
    -- went back, the odd step keeps apart what it can.
    local us = tonumber(time[2])
    local now_us = tonumber(time[1]) * 1000000 + us
    if now_us > epoch then epoch = now_us else epoch = epoch + 1 + us % 1000 end
    -- Two servers, before and after a failover, may both give epochs for a while, by clocks that differ.
    if failovers then epoch = epoch + (failovers % 16 - epoch) % 16 end
    redis.call('HSET', meta, 'epoch', string.format('%.0f', epoch))
    redis.call('PUBLISH', channel, string.format('%.0f', epoch))
  end
  local answer = {outcome, string.format('%.0f', epoch), string.format('%.0f', lease_ms)}
  if with_map then
    answer[4] = redis.call('HGET', meta, 'placement_seed') or ''
    for _, value in ipairs(redis.call('HGETALL', nodes)) do answer[#answer + 1] = value end
  end
  return answer
end

if verb == 'fetch' then
  if not version then return finish('LAPSED', false) end
  return finish('OK', true)
end

local held = redis.call('HGET', nodes, id .. ':fence')
if held and held > fence then return finish('FENCED', false) end

if verb == 'join' then
  local record, state, seed = ARGV[8], ARGV[9], ARGV[10]
  if not held and redis.call('HLEN', nodes) >= 3 * MAX_NODES then return finish('FULL', false) end
  if not version then
    version = '1'
    redis.call('HSET', meta, 'version', version, 'lease_ms', string.format('%.0f', lease_ms), 'placement_seed', seed)
  end
  local old = redis.call('HMGET', nodes, id .. ':record', id .. ':state', id .. ':fence')
  if old[1] ~= record or old[2] ~= state or old[3] ~= fence then
    redis.call('HSET', nodes, id .. ':record', record, id .. ':state', state, id .. ':fence', fence)
    changed = true
  end
  redis.call('ZREM', gone, id)
  redis.call('ZADD', leases, now + lease_ms, id)
  return finish('OK', true)
end

if held ~= fence or not redis.call('ZSCORE', leases, id) then return finish('LAPSED', false) end
if verb == 'renew' then
  redis.call('ZADD', leases, now + lease_ms, id)
  return finish('OK', false)
end
if verb == 'state' then
  local state = ARGV[8]
  if state == 'gone' then
    remove(id)
  elseif redis.call('HGET', nodes, id .. ':state') ~= state then
    redis.call('HSET', nodes, id .. ':state', state)
    changed = true
  end
  return finish('OK', true)
end
return {'VERB', verb}
)lua";

// With the limits in it. Made once.
const std::string& Script() {
  static const std::string* const script = [] {
    auto* text = new std::string(kScript);
    for (const auto& [name, value] : {std::pair<std::string, uint64_t>{"FORGET_MS", kForgetGoneMs},
                                      std::pair<std::string, uint64_t>{"MAX_NODES", kMaxClusterNodes}}) {
      text->replace(text->find(name), name.size(), std::to_string(value));
    }
    return text;
  }();
  return *script;
}

absl::StatusOr<uint64_t> Number(const std::string& text, const char* what) {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc() && end == text.data() + text.size()) return number;
  return absl::DataLossError(
      absl::StrCat("cluster map in Redis: ", what, " is no number; somebody else writes these keys"));
}

struct NodeFields {
  std::string record, state, fence;
};

// The node in `fields`, whose key in Redis is `id`.
absl::StatusOr<ClusterNode> NodeOf(const std::string& id, const NodeFields& fields) {
  ASSIGN_OR_RETURN(ClusterNode node, DecodeClusterNode(fields.record));
  ASSIGN_OR_RETURN(node.state, ParseNodeState(fields.state));
  if (NodeIdText(node.id) != id) return absl::DataLossError("record of another node");
  return node;
}

// From the answer's values after the third: the seed, then names and values of the fields of nodes.
absl::Status ReadMap(const std::vector<std::string>& values, MapAnswer* answer) {
  ClusterMap map;
  map.epoch = answer->epoch;
  const std::string seed = absl::HexStringToBytes(values[3]);
  if (seed.size() != map.placement_seed.size() || values[3].size() != 2 * seed.size() || values.size() % 2 != 0) {
    return absl::DataLossError("cluster map in Redis: placement_seed is not 32 hexadecimal digits");
  }
  std::copy(seed.begin(), seed.end(), map.placement_seed.begin());
  absl::flat_hash_map<std::string, NodeFields> nodes;
  for (size_t i = 4; i + 1 < values.size(); i += 2) {
    const size_t colon = values[i].find(':');
    NodeFields& fields = nodes[values[i].substr(0, colon)];
    const std::string field = colon == std::string::npos ? "" : values[i].substr(colon + 1);
    if (field == "record") fields.record = values[i + 1];
    if (field == "state") fields.state = values[i + 1];
    if (field == "fence") fields.fence = values[i + 1];
  }
  for (const auto& [id, fields] : nodes) {
    absl::StatusOr<ClusterNode> node = NodeOf(id, fields);
    if (node.ok()) {
      map.nodes.push_back(*std::move(node));
    } else {
      ++answer->bad_records;  // one broken record must not cost all the others
    }
  }
  std::sort(map.nodes.begin(), map.nodes.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
  RETURN_IF_ERROR(CheckClusterMap(map));
  answer->map = std::move(map);
  return absl::OkStatus();
}

}  // namespace

MapScript::MapScript(std::string cluster) : prefix_("incipit:{" + cluster + "}:"), channel_(prefix_ + "epoch") {}

absl::StatusOr<MapAnswer> MapScript::Run(RedisConnection* redis, const char* verb, const MapCaller& caller,
                                         std::vector<std::string> more) const {
  std::vector<std::string> call = {"EVAL", Script(), "4"};
  for (const char* key : {"meta", "nodes", "leases", "gone"}) call.push_back(prefix_ + key);
  const std::vector<std::string> common = {verb,
                                           channel_,
                                           std::to_string(caller.known_epoch),
                                           std::to_string(caller.lease_ms),
                                           NodeIdText(caller.id),
                                           caller.fence,
                                           caller.failovers.has_value() ? std::to_string(*caller.failovers % 16) : ""};
  call.insert(call.end(), common.begin(), common.end());
  call.insert(call.end(), more.begin(), more.end());
  ASSIGN_OR_RETURN(const RedisReply reply, redis->Call(call));
  if (!reply.is_list || reply.list.empty()) return absl::DataLossError("cluster map in Redis: not a list");
  const std::string& outcome = reply.list[0];
  if (outcome == "VERSION") {
    return absl::FailedPreconditionError(
        "cluster map in Redis: its keys are of another version than this build knows (1)");
  }
  if (outcome == "FENCED") {
    return absl::AbortedError(absl::StrCat("node ", NodeIdText(caller.id),
                                           " was started again elsewhere: this process is not the node any more"));
  }
  if (outcome == "FULL") {
    return absl::ResourceExhaustedError(absl::StrCat("cluster: it has ", kMaxClusterNodes, " nodes, the most allowed"));
  }
  if (reply.list.size() < 3) return absl::DataLossError("cluster map in Redis: an answer is cut short");
  MapAnswer answer;
  ASSIGN_OR_RETURN(answer.epoch, Number(reply.list[1], "epoch"));
  ASSIGN_OR_RETURN(answer.lease_ms, Number(reply.list[2], "lease_ms"));
  answer.lapsed = outcome == "LAPSED";
  if (reply.list.size() > 3) RETURN_IF_ERROR(ReadMap(reply.list, &answer));
  return answer;
}

absl::StatusOr<MapAnswer> MapScript::Join(RedisConnection* redis, const MapCaller& caller, const ClusterNode& node,
                                          const PlacementSeed& seed) const {
  const std::string hex = absl::BytesToHexString({reinterpret_cast<const char*>(seed.data()), seed.size()});
  return Run(redis, "join", caller, {EncodeClusterNode(node), NodeStateName(node.state), hex});
}

absl::StatusOr<MapAnswer> MapScript::Renew(RedisConnection* redis, const MapCaller& caller) const {
  return Run(redis, "renew", caller, {});
}

absl::StatusOr<MapAnswer> MapScript::SetState(RedisConnection* redis, const MapCaller& caller, NodeState state) const {
  return Run(redis, "state", caller, {NodeStateName(state)});
}

absl::StatusOr<MapAnswer> MapScript::Fetch(RedisConnection* redis, const MapCaller& caller) const {
  return Run(redis, "fetch", caller, {});
}

}  // namespace incipit
