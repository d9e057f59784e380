// A socket of UCX's tcp, both directions, in pieces: the guard reads nothing that is not there, and what it says does
// not depend on how the bytes arrive.
#include "tests/fuzz/check.h"
#include "transport/ucx/guard/ucx_watched_socket.h"

namespace {

using incipit::ByteView;

incipit::UcxConnectionCheck::Options Options() {
  incipit::UcxConnectionCheck::Options options;
  for (auto* address : {&options.own, &options.peer}) {
    address->storage.ss_family = AF_INET;
    address->bytes = sizeof(sockaddr_in);
  }
  reinterpret_cast<sockaddr_in*>(&options.own.storage)->sin_port = 0xffff;
  return options;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  incipit::UcxWatchedSocket whole, bytewise;
  whole.Begin(1, Options());
  bytewise.Begin(1, Options());
  ByteView input(data, size);
  // Pieces: u8 direction in the lowest bit, and eight times its length in the others.
  while (!input.empty()) {
    const bool sent = (input[0] & 1) != 0;
    const size_t bytes = std::min<size_t>(input.size() - 1, size_t{input[0]} >> 1 << 3);
    const ByteView piece = input.subspan(1, bytes);
    input = input.subspan(1 + bytes);
    if (piece.empty()) continue;
    if (sent) {
      whole.OnSent(piece);
      for (const uint8_t& byte : piece) bytewise.OnSent({&byte, 1});
      continue;
    }
    const bool passed = whole.OnReceived(piece);
    for (const uint8_t& byte : piece) bytewise.OnReceived({&byte, 1});
    FUZZ_CHECK(passed == !whole.refused(), "what is said once stays");
    FUZZ_CHECK(whole.refused() == bytewise.refused(), "pieces make no difference");
    if (!passed) break;
  }
  return 0;
}
