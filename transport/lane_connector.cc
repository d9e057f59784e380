#include "transport/lane_connector.h"

#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "transport/tcp/tcp_address.h"
#include "transport/tcp/tcp_endpoint.h"
#include "transport/ucx/ucx_address.h"
#include "transport/ucx/ucx_endpoint.h"
#include "transport/unix/unix_address.h"
#include "transport/unix/unix_endpoint.h"

namespace incipit {
namespace {

std::string_view SchemeOf(std::string_view address) {
  const size_t end = address.find("://");
  return end == std::string_view::npos ? "tcp" : address.substr(0, end);
}

absl::Status NoLane(const std::string& address) {
  return absl::InvalidArgumentError(
      absl::StrCat("address ", address, ": this build has the lanes tcp://, unix:// and ucx://"));
}

}  // namespace

absl::Status LaneConnector::CheckAddress(const std::string& address) {
  const std::string_view scheme = SchemeOf(address);
  absl::Status status = NoLane(address);
  if (scheme == "tcp") status = CheckTcpAddress(address);
  if (scheme == "unix") status = ParseUnixAddress(address).status();
  if (scheme == "ucx") status = UcxAddress::Parse(address).status();
  return status;
}

LaneConnector::LaneConnector(UringLoop* loop) : LaneConnector(loop, std::make_unique<UcxConnector>(loop)) {}

LaneConnector::LaneConnector(UringLoop* loop, std::unique_ptr<Connector> ucx)
    : tcp_(std::make_unique<TcpConnector>(loop)), unix_(std::make_unique<UnixConnector>(loop)), ucx_(std::move(ucx)) {}

LaneConnector::~LaneConnector() = default;

Task<absl::StatusOr<std::unique_ptr<Stream>>> LaneConnector::Connect(std::string address, int64_t deadline_ns) {
  const std::string_view scheme = SchemeOf(address);
  Connector* lane = nullptr;
  if (scheme == "tcp") lane = tcp_.get();
  if (scheme == "unix") lane = unix_.get();
  if (scheme == "ucx") lane = ucx_.get();
  if (lane == nullptr) co_return NoLane(address);
  Task<absl::StatusOr<std::unique_ptr<Stream>>> connecting = lane->Connect(std::move(address), deadline_ns);
  co_return co_await connecting;
}

}  // namespace incipit
