// One client's connection to one shard: receives frames in order, answers them, keeps the client within its limits.
// docs/wire_format.md says which errors end the connection. One thread: the shard's.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cache/runtime/sync.h"
#include "cache/shard/shard.h"
#include "transport/frame_channel.h"
#include "transport/shared/region_table.h"
#include "transport/wire/activity_messages.h"
#include "transport/wire/codec_feature.h"
#include "transport/wire/messages.h"
#include "transport/wire/node_messages.h"

namespace incipit {

class MapWatch;
class WaitJob;

class Session : private Timer {
 public:
  Session(Shard* shard, std::unique_ptr<FrameChannel> channel, const wire::Hello& hello, uint64_t id,
          SessionPass pass = {});
  ~Session();

  // Answers the Hello (or the Proof), then serves until the client goes, misbehaves or is cut off.
  Task<void> Run(uint64_t request_id);
  // Sends an Error frame on a channel that has no session.
  static Task<absl::Status> SendError(FrameChannel* channel, uint64_t request_id, absl::Status reason,
                                      uint32_t retry_after_us = 0);
  // Answers an Error to the Hello and closes.
  static Task<void> Refuse(std::unique_ptr<FrameChannel> channel, uint64_t request_id, absl::Status reason);
  void Close() { channel_->Close(); }
  // The shard has a newer map of the cluster.
  void OnClusterMap();

  uint64_t id() const { return id_; }
  uint64_t writer_id() const { return hello_.client_id; }
  // Whose session it is: proven once the shard has tenants, claimed before. Nothing that a message says changes it.
  const std::string& tenant() const { return hello_.tenant; }
  bool proven() const { return pass_.proven; }
  // Another node's: it is told what is here, and nobody else is asked for it.
  bool is_peer() const { return peer_; }
  bool takes_turns() const { return (hello_.features & wire::kFeatureTurns) != 0; }
  // False for a client while the shard has all the loads that it can do with. A node that drains has nowhere else to
  // go.
  bool MayStoreNow() const { return peer_ || shard_->admission()->MayStore(); }
  bool knows_hot_copies() const { return (hello_.features & wire::kFeatureHotCopies) != 0; }
  bool knows_codec(Codec codec) const { return wire::KnowsCodec(hello_.features, codec); }
  // The stamp of a request of this session, within what is plausible.
  uint64_t StampOf(uint64_t stamp_ns) const;
  Shard* shard() { return shard_; }
  FrameChannel* channel() { return channel_.get(); }
  // Who connected, as the kernel says; empty on lanes that cross hosts.
  std::optional<PeerCredentials> peer_credentials() const { return channel_->stream()->peer_credentials(); }
  // What is counted by the lane that it came by.
  LaneCounters* lane_counters();
  // Memory that the client shares. FailedPrecondition if that was not agreed on in Hello.
  absl::StatusOr<const RegionTable*> regions() const;
  // Adds what its connection has carried so far.
  void AddBytesTo(ShardCounters* counters) const;

  // Sending: frames of one session go one at a time. A job that sends payload takes the lock itself, so that it pins
  // memory only while it is its turn; the others call Reply.
  Semaphore* send_lock() { return &send_lock_; }
  // REQUIRES: the send lock is held.
  Task<absl::Status> SendLocked(wire::FrameType type, uint64_t request_id, uint16_t flags,
                                const std::vector<uint8_t>* meta, std::span<const iovec> payload);
  Task<void> Reply(wire::FrameType type, uint64_t request_id, std::vector<uint8_t> meta);
  Task<void> ReplyError(uint64_t request_id, absl::Status status, uint32_t retry_after_us = 0);

  // The shard's number of a namespace opened on this connection; InvalidArgument for any other number. PermissionDenied
  // unless the tenant now has one of `roles` there (docs/security.md); that is counted and written down.
  absl::StatusOr<NamespaceId> NamespaceOf(uint32_t namespace_id, RoleSet roles) const;
  // InvalidArgument unless every key names a group and part of the namespace's layout.
  absl::Status CheckKeys(NamespaceId name_space, const wire::KeyBatch& keys) const;

 private:
  struct OpenedNamespace {
    NamespaceId id = 0;
    mutable RoleSet roles;                           // looked up when they were last needed
    mutable uint64_t roles_generation = UINT64_MAX;  // of the shard's tenants, then
  };
  void OnTimer() override;  // watches for a client that takes no bytes, or leaves a frame unfinished
  void WatchForStalls();
  Task<void> SendHelloReply(uint64_t request_id);
  Task<absl::Status> Serve();
  Task<absl::Status> Dispatch(const IncomingFrame* frame);
  Task<void> HandleOpenNamespace(uint64_t request_id, ByteView meta);
  Task<void> HandleOpenShared(uint64_t request_id, ByteView meta);
  absl::StatusOr<uint32_t> OpenNamespaceOf(const std::string& owner, const std::string& model, ByteView layout);
  Task<void> ReplyOpened(uint64_t request_id, absl::StatusOr<uint32_t> opened);
  bool MaySeeWholeNode() const;
  RoleSet RolesIn(const std::string& owner, const std::string& model) const;
  absl::Status Deny(std::string_view cause) const;
  Task<void> HandleMatch(uint64_t request_id, ByteView meta);
  Task<void> HandleOffer(uint64_t request_id, ByteView meta);
  Task<void> HandleTouch(uint64_t request_id, ByteView meta);
  Task<void> HandleRelease(uint64_t request_id, ByteView meta);
  Task<void> HandleClaim(uint64_t request_id, ByteView meta);
  Task<void> HandleWait(uint64_t request_id, ByteView meta);
  absl::Status CheckClaims() const;
  void LetGo(uint64_t id);
  void StopWaits();
  Task<void> HandleGetMap(uint64_t request_id, ByteView meta);
  void StopMapWatch();
  bool MayBePeer() const;
  absl::Status BecomePeer(ByteView meta);
  Task<void> HandlePeer(uint64_t request_id, ByteView meta);
  absl::StatusOr<wire::DrainReply> AskForDrain(ByteView meta) const;
  Task<void> HandleDrain(uint64_t request_id, ByteView meta);
  Task<void> HandleStats(uint64_t request_id, ByteView meta);
  // Of the whole node or, without the role admin, of this tenant's namespaces.
  wire::Activity ActivityForTenant() const;
  Task<void> HandleLoad(uint64_t request_id, ByteView meta, bool shared);
  Task<void> HandleRegisterRegion(uint64_t request_id, ByteView meta);
  Task<void> HandleForgetRegion(uint64_t request_id, ByteView meta);
  Task<void> RefuseLoad(uint64_t request_id, int64_t received_ns);
  Task<void> RunRemove(uint64_t request_id, std::vector<uint8_t> meta);

  Shard* shard_;
  std::unique_ptr<FrameChannel> channel_;
  wire::Hello hello_;
  SessionPass pass_;
  uint64_t id_;
  std::vector<OpenedNamespace> namespaces_;
  Semaphore send_lock_;
  uint64_t read_seen_ = 0, write_seen_ = 0;  // that waited for the client when this was last looked at
  LoadCaller loading_;
  std::vector<WaitJob*> waits_;
  std::shared_ptr<MapWatch> map_watch_;  // null: the client waits for no map
  bool peer_ = false;
  bool shares_memory_ = false;
  RegionTable regions_;
  TaskScope jobs_;
};

}  // namespace incipit
