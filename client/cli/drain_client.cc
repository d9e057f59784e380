#include "client/cli/drain_client.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "cache/base/status_macros.h"
#include "client/src/core/ask.h"
#include "client/src/core/handshake.h"
#include "transport/auth/secret_file.h"

namespace incipit {
namespace {

constexpr int64_t kMillisecondNs = 1'000'000;

}  // namespace

DrainClient::DrainClient(std::unique_ptr<UringLoop> loop)
    : loop_(std::move(loop)), random_(MakeSystemRandom()), connector_(loop_.get()) {}

DrainClient::~DrainClient() {
  if (channel_ != nullptr) channel_->Close();
}

absl::StatusOr<std::unique_ptr<DrainClient>> DrainClient::Connect(const ConnectOptions& options,
                                                                  const std::string& address) {
  RETURN_IF_ERROR(LaneConnector::CheckAddress(address));
  ASSIGN_OR_RETURN(std::unique_ptr<UringLoop> loop, UringLoop::Create({}));
  std::unique_ptr<DrainClient> client(new DrainClient(std::move(loop)));
  client->step_ns_ = options.timeout_ms * kMillisecondNs;
  RETURN_IF_ERROR(client->loop_->RunTask(client->Greet(&options, address)));
  return client;
}

Task<absl::Status> DrainClient::Greet(const ConnectOptions* options, std::string address) {
  HandshakeRequest request;
  request.client_id = random_->Next();
  request.tenant = options->tenant;
  request.client_name = "incipit-drain";
  if (!options->secret_file.empty()) {
    absl::StatusOr<TenantKey> key = ReadSecretFile("--secret-file", options->secret_file);
    if (!key.ok()) co_return key.status();
    request.key = std::make_shared<const TenantKey>(*key);
  }
  auto connecting = connector_.Connect(address, loop_->NowNs() + step_ns_);
  absl::StatusOr<std::unique_ptr<Stream>> stream = co_await connecting;
  if (!stream.ok()) co_return stream.status();
  channel_ = std::make_unique<FrameChannel>(*std::move(stream));
  auto greeting = SayHello(loop_.get(), random_.get(), channel_.get(), &request, wire::kAnyShard, wire::kFeatureNodes,
                           step_ns_, &epoch_);
  const absl::StatusOr<wire::HelloReply> hello = co_await greeting;
  if (!hello.ok()) co_return hello.status();
  if ((hello->features & wire::kFeatureNodes) != 0) co_return absl::OkStatus();
  co_return absl::FailedPreconditionError(absl::StrCat(address, ": its release cannot be drained"));
}

Task<absl::StatusOr<wire::DrainReply>> DrainClient::AskOnce(wire::Drain drain) {
  Question question{.type = wire::FrameType::kDrain,
                    .request_id = next_id_++,
                    .epoch = epoch_,
                    .expected = {wire::FrameType::kDrainReply}};
  drain.Encode(&question.meta);
  auto asking = incipit::Ask(loop_.get(), channel_.get(), &question, step_ns_);
  const absl::StatusOr<IncomingFrame> frame = co_await asking;
  if (!frame.ok()) co_return frame.status();
  co_return wire::DrainReply::Decode(frame->meta);
}

absl::StatusOr<wire::DrainReply> DrainClient::Ask(const wire::Drain& drain) { return loop_->RunTask(AskOnce(drain)); }

}  // namespace incipit
