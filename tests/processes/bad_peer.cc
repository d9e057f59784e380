#include "tests/processes/bad_peer.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

namespace incipit::campaign {
namespace {

bool WaitFor(int fd, int16_t events, int patience_ms) {
  pollfd poller{fd, events, 0};
  return poll(&poller, 1, patience_ms) == 1;
}

}  // namespace

Bytes FrameOf(wire::FrameType type, const Bytes& meta, uint64_t payload_bytes) {
  wire::FrameHeader header;
  header.type = type;
  header.request_id = 1;
  header.meta_bytes = static_cast<uint32_t>(meta.size());
  header.payload_bytes = payload_bytes;
  const auto encoded = header.Encode(meta);
  Bytes frame(encoded.begin(), encoded.end());
  frame.insert(frame.end(), meta.begin(), meta.end());
  return frame;
}

BadPeer::BadPeer(const std::string& address) {
  const size_t colon = address.rfind(':');
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(static_cast<uint16_t>(std::stoi(address.substr(colon + 1))));
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  fd_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (connect(fd_, reinterpret_cast<sockaddr*>(&to), sizeof(to)) == 0) return;
  close(fd_);
  fd_ = -1;
}

BadPeer::~BadPeer() {
  if (fd_ >= 0) close(fd_);
}

bool BadPeer::Send(const Bytes& bytes, int patience_ms) {
  size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t sent = send(fd_, bytes.data() + done, bytes.size() - done, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent > 0) {
      done += static_cast<size_t>(sent);
    } else if (errno != EAGAIN || !WaitFor(fd_, POLLOUT, patience_ms)) {
      return false;
    }
  }
  return true;
}

void BadPeer::EndSending() { shutdown(fd_, SHUT_WR); }

bool BadPeer::ReadExactly(void* into, size_t bytes, int patience_ms, bool* closed) {
  auto* at = static_cast<uint8_t*>(into);
  while (bytes > 0) {
    if (!WaitFor(fd_, POLLIN, patience_ms)) return false;
    const ssize_t got = recv(fd_, at, bytes, 0);
    if (got <= 0) {
      *closed = true;
      return false;
    }
    at += got;
    bytes -= static_cast<size_t>(got);
  }
  return true;
}

Reaction BadPeer::Receive(int patience_ms) {
  Reaction reaction;
  bool closed = false;
  Bytes header_bytes(wire::kFrameHeaderBytes);
  if (!ReadExactly(header_bytes.data(), header_bytes.size(), patience_ms, &closed)) {
    reaction.kind = closed ? Reaction::kClosed : Reaction::kSilence;
    return reaction;
  }
  const auto header = wire::FrameHeader::Decode(header_bytes);
  if (!header.ok()) {
    reaction.message = "the node sent a frame that is none: " + std::string(header.status().message());
    return reaction;
  }
  Bytes payload(header->payload_bytes);
  reaction.meta.resize(header->meta_bytes);
  if (!ReadExactly(reaction.meta.data(), reaction.meta.size(), patience_ms, &closed) ||
      !ReadExactly(payload.data(), payload.size(), patience_ms, &closed)) {
    reaction.kind = closed ? Reaction::kClosed : Reaction::kSilence;
    return reaction;
  }
  reaction.kind = Reaction::kReply;
  if (header->type != wire::FrameType::kError) return reaction;
  const auto error = wire::Error::Decode(reaction.meta);
  reaction.kind = Reaction::kError;
  reaction.code = error.ok() ? error->code : absl::StatusCode::kUnknown;
  reaction.message = error.ok() ? error->message : "an Error that cannot be decoded";
  return reaction;
}

Reaction BadPeer::Greet(const Layout& layout) {
  wire::Hello hello;
  hello.tenant = "default";
  hello.client_name = "bad";
  Send(FrameOf(wire::FrameType::kHello, hello));
  Reaction reaction = Receive();
  if (reaction.kind != Reaction::kReply) return reaction;
  wire::OpenNamespace open;
  open.model = "bad";
  open.layout = layout.Encode();
  Send(FrameOf(wire::FrameType::kOpenNamespace, open));
  return Receive();
}

}  // namespace incipit::campaign
