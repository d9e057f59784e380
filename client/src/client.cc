#include "incipit/client.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cache/base/check.h"
#include "cache/base/status_macros.h"
#include "client/src/client_impl.h"
#include "client/src/core/cluster_links.h"
#include "transport/auth/secret_file.h"
#include "transport/lane_connector.h"

namespace incipit {
namespace {

// Of a cluster: each seed's.
absl::Status CheckAddress(const std::string& address) {
  if (!ClusterLinks::IsClusterAddress(address)) return LaneConnector::CheckAddress(address);
  std::vector<std::string> seeds;
  std::string lane;
  RETURN_IF_ERROR(ClusterLinks::ParseAddress(address, &seeds, &lane));
  for (const std::string& seed : seeds) RETURN_IF_ERROR(LaneConnector::CheckAddress(seed));
  return absl::OkStatus();
}

}  // namespace

std::string ClusterAddress(std::span<const std::string> seeds) {
  return absl::StrCat("cluster://", absl::StrJoin(seeds, ","));
}

absl::StatusOr<std::unique_ptr<Client>> Client::Connect(ClientOptions options) {
  if (!options.sealing_key_file.empty()) {
    if (options.sealing_key != nullptr) {
      return absl::InvalidArgumentError(
          "ClientOptions: sealing_key and sealing_key_file are both given, one is allowed");
    }
    absl::StatusOr<std::shared_ptr<const SealingKey>> key = SealingKey::FromFile(options.sealing_key_file);
    if (!key.ok()) return absl::InvalidArgumentError(key.status().message());
    options.sealing_key = *std::move(key);
  }
  absl::Status valid = ClientCore::CheckOptions(options);
  if (!valid.ok()) return valid;
  const absl::Status address = CheckAddress(options.address);
  if (!address.ok()) return address;
  if (!options.secret_file.empty()) {
    absl::StatusOr<std::vector<uint8_t>> secret = ReadSecret("secret_file", options.secret_file);
    if (!secret.ok()) return secret.status();
    options.secret.assign(secret->begin(), secret->end());
    Wipe(secret->data(), secret->size());
  }
  const bool lazily = options.connect_lazily;
  absl::StatusOr<std::shared_ptr<Impl>> impl = Impl::Create(std::move(options));
  if (!impl.ok()) return impl.status();
  std::unique_ptr<Client> client(new Client(*std::move(impl)));
  if (lazily) return client;
  absl::Status connected = client->impl_->Block<absl::Status>([&](ClientCore* core) { return core->WaitConnected(); });
  if (!connected.ok()) return connected;
  return client;
}

Client::Client(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
Client::~Client() { impl_->Shutdown(); }

absl::StatusOr<MatchResult> Client::Match(MatchRequest request) { return impl_->Call(&ClientCore::Match, &request); }
absl::StatusOr<MatchResult> Client::Wait(WaitRequest request) { return impl_->Call(&ClientCore::Wait, &request); }
absl::StatusOr<LoadResult> Client::Load(LoadRequest request) { return impl_->Call(&ClientCore::Load, &request); }
absl::StatusOr<StatusResult> Client::Offer(OfferRequest request) { return impl_->Call(&ClientCore::Offer, &request); }
absl::StatusOr<StatusResult> Client::Store(StoreRequest request) { return impl_->Call(&ClientCore::Store, &request); }
absl::StatusOr<StatusResult> Client::Touch(TouchRequest request) { return impl_->Call(&ClientCore::Touch, &request); }
absl::StatusOr<StatusResult> Client::Remove(RemoveRequest request) {
  return impl_->Call(&ClientCore::Remove, &request);
}
absl::StatusOr<std::vector<ShardStats>> Client::Stats() {
  return impl_->Block<absl::StatusOr<std::vector<ShardStats>>>([](ClientCore* core) { return core->Stats(); });
}

void Client::MatchAsync(MatchRequest request, Callback<MatchResult> done) {
  impl_->CallAsync(&ClientCore::Match, std::move(request), std::move(done));
}
void Client::WaitAsync(WaitRequest request, Callback<MatchResult> done) {
  impl_->CallAsync(&ClientCore::Wait, std::move(request), std::move(done));
}
void Client::LoadAsync(LoadRequest request, Callback<LoadResult> done) {
  impl_->CallAsync(&ClientCore::Load, std::move(request), std::move(done));
}
void Client::OfferAsync(OfferRequest request, Callback<StatusResult> done) {
  impl_->CallAsync(&ClientCore::Offer, std::move(request), std::move(done));
}
void Client::StoreAsync(StoreRequest request, Callback<StatusResult> done) {
  impl_->CallAsync(&ClientCore::Store, std::move(request), std::move(done));
}
void Client::TouchAsync(TouchRequest request, Callback<StatusResult> done) {
  impl_->CallAsync(&ClientCore::Touch, std::move(request), std::move(done));
}
void Client::RemoveAsync(RemoveRequest request, Callback<StatusResult> done) {
  impl_->CallAsync(&ClientCore::Remove, std::move(request), std::move(done));
}

void Client::Poll(uint32_t wait_us) { impl_->Poll(wait_us); }
uint64_t Client::NewStamp() { return impl_->NewStamp(); }
const ClientOptions& Client::options() const { return impl_->options(); }

ClientCounters Client::counters() {
  ClientCounters counters;
  impl_->OnLoop([&](ClientCore* core) { counters = core->counters(); });
  return counters;
}

NodeInfo Client::node() {
  NodeInfo info;
  impl_->OnLoop([&](ClientCore* core) { info = core->node(); });
  return info;
}

std::vector<NodeInfo> Client::nodes() {
  std::vector<NodeInfo> nodes;
  impl_->OnLoop([&](ClientCore* core) { nodes = core->nodes(); });
  return nodes;
}

uint64_t Client::epoch() {
  uint64_t epoch = 0;
  impl_->OnLoop([&](ClientCore* core) { epoch = core->epoch(); });
  return epoch;
}

}  // namespace incipit
