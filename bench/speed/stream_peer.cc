#include "bench/speed/stream_peer.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

#include "bench/common/mapped_buffer.h"
#include "bench/common/payload.h"
#include "bench/speed/stream_io.h"
#include "cache/base/status_macros.h"

namespace incipit::bench {
namespace {

enum class Wish : uint32_t { kSend = 1, kReceive = 2, kEcho = 3 };

// What the peer is asked for; followed by the bytes if it is to receive. Both ends are one program on one machine.
struct Command {
  Wish wish = Wish::kSend;
  StreamVariant::Waiting waiting = StreamVariant::Waiting::kBlock;
  uint64_t chunk_bytes = 0;
  uint64_t position = 0;
  uint64_t bytes = 0;
  uint64_t reply_bytes = 0;
};

constexpr time_t kConnectTimeoutSeconds = 60;  // the peer touches its memory first
constexpr StreamVariant kPlain{StreamVariant::Waiting::kBlock, 1 << 20};

template <typename T>
ByteView BytesOf(const T& value) {
  return {reinterpret_cast<const uint8_t*>(&value), sizeof(value)};
}
template <typename T>
MutableBytes WritableBytesOf(T* value) {
  return {reinterpret_cast<uint8_t*>(value), sizeof(*value)};
}

absl::Status SocketError(const char* what) {
  return absl::UnavailableError(fmt::format("plain stream: {}: {}", what, std::strerror(errno)));
}

void SetNoDelay(int fd) {
  const int one = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

sockaddr_in Loopback(uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return address;
}

// Calls `move(piece)` for the stretches of `memory` that make up `bytes` from `position` on, going round at its end.
template <typename Move>
absl::Status ForPieces(MutableBytes memory, uint64_t position, uint64_t bytes, Move move) {
  while (bytes > 0) {
    const uint64_t at = position % memory.size();
    const uint64_t take = std::min<uint64_t>(bytes, memory.size() - at);
    RETURN_IF_ERROR(move(memory.subspan(at, take)));
    position += take;
    bytes -= take;
  }
  return absl::OkStatus();
}

absl::Status Serve(int fd, const Command& command, MutableBytes memory, std::vector<uint8_t>* scratch) {
  const StreamVariant variant{command.waiting, static_cast<uint32_t>(command.chunk_bytes)};
  switch (command.wish) {
    case Wish::kSend:
      return ForPieces(memory, command.position, command.bytes,
                       [&](MutableBytes piece) { return SendAll(fd, variant, piece); });
    case Wish::kReceive:
      RETURN_IF_ERROR(ForPieces(memory, command.position, command.bytes,
                                [&](MutableBytes piece) { return ReceiveAll(fd, variant, piece); }));
      return SendAll(fd, kPlain, BytesOf(command.bytes));
    case Wish::kEcho:
      scratch->resize(std::max(command.bytes, command.reply_bytes));
      RETURN_IF_ERROR(ReceiveAll(fd, kPlain, {scratch->data(), command.bytes}));
      return SendAll(fd, kPlain, {scratch->data(), command.reply_bytes});
  }
  return absl::InvalidArgumentError("plain stream: unknown command");
}

}  // namespace

std::string StreamVariant::Name() const {
  static constexpr const char* kNames[] = {"blocking", "spin 200 us then sleep", "io_uring"};
  return fmt::format("{}, {} KiB a call", kNames[static_cast<size_t>(waiting)], chunk_bytes / 1024);
}

absl::StatusOr<std::unique_ptr<StreamPeer>> StreamPeer::Start(uint64_t data_bytes) {
  const int listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = Loopback(0);
  socklen_t size = sizeof(address);
  if (listen_fd < 0 || bind(listen_fd, reinterpret_cast<sockaddr*>(&address), size) != 0 || listen(listen_fd, 4) != 0 ||
      getsockname(listen_fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    return SocketError("cannot listen on loopback");
  }
  const timeval patience{kConnectTimeoutSeconds, 0};
  setsockopt(listen_fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));  // of accept
  ASSIGN_OR_RETURN(
      ChildProcess process,
      ChildProcess::Start({.arguments = {kOwnProgram, "bench", "--stream-peer", std::to_string(ntohs(address.sin_port)),
                                         "--data-bytes", std::to_string(data_bytes)}}));
  std::unique_ptr<StreamPeer> peer(new StreamPeer(std::move(process), listen_fd));
  RETURN_IF_ERROR(peer->Reconnect());
  return peer;
}

StreamPeer::~StreamPeer() {
  if (fd_ >= 0) close(fd_);
  close(listen_fd_);
}

absl::Status StreamPeer::Reconnect() {
  if (fd_ >= 0) close(fd_);
  do {  // The peer connects anew whenever its connection ends. A wait with a time limit is not resumed by the kernel.
    fd_ = accept4(listen_fd_, nullptr, nullptr, SOCK_CLOEXEC);
  } while (fd_ < 0 && errno == EINTR);
  if (fd_ < 0) return SocketError("the peer did not connect");
  SetNoDelay(fd_);
  return absl::OkStatus();
}

absl::Status StreamPeer::Receive(StreamVariant variant, uint64_t position, MutableBytes into) {
  const Command command{Wish::kSend, variant.waiting, variant.chunk_bytes, position, into.size(), 0};
  RETURN_IF_ERROR(SendAll(fd_, kPlain, BytesOf(command)));
  return ReceiveAll(fd_, variant, into);
}

absl::Status StreamPeer::Send(StreamVariant variant, uint64_t position, ByteView from) {
  const Command command{Wish::kReceive, variant.waiting, variant.chunk_bytes, position, from.size(), 0};
  RETURN_IF_ERROR(SendAll(fd_, kPlain, BytesOf(command)));
  RETURN_IF_ERROR(SendAll(fd_, variant, from));
  uint64_t received = 0;
  return ReceiveAll(fd_, kPlain, WritableBytesOf(&received));
}

absl::Status StreamPeer::PingPong(ByteView request, MutableBytes reply) {
  const Command command{Wish::kEcho, StreamVariant::Waiting::kBlock, 0, 0, request.size(), reply.size()};
  // One call, as a client's frame would be: the command is the header.
  iovec pieces[] = {{const_cast<Command*>(&command), sizeof(command)},
                    {const_cast<uint8_t*>(request.data()), request.size()}};
  msghdr message{};
  message.msg_iov = pieces;
  message.msg_iovlen = 2;
  const ssize_t sent = sendmsg(fd_, &message, MSG_NOSIGNAL);
  if (sent < static_cast<ssize_t>(sizeof(command))) return SocketError("cannot send");
  RETURN_IF_ERROR(SendAll(fd_, kPlain, request.subspan(static_cast<size_t>(sent) - sizeof(command))));
  return ReceiveAll(fd_, kPlain, reply);
}

absl::Status RunStreamPeer(uint16_t port, uint64_t data_bytes) {
  ASSIGN_OR_RETURN(const MappedBuffer buffer, MappedBuffer::Create(data_bytes));
  const MutableBytes memory = buffer.bytes();
  FillPayload(kStreamSeed, 0, memory);
  std::vector<uint8_t> scratch;
  const sockaddr_in address = Loopback(port);
  while (true) {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
      return absl::OkStatus();  // nobody listens any more
    }
    SetNoDelay(fd);
    Command command;
    while (ReceiveAll(fd, kPlain, WritableBytesOf(&command)).ok() && Serve(fd, command, memory, &scratch).ok()) {
    }
    close(fd);
  }
}

}  // namespace incipit::bench
