// What may come on a connection between the connection managers of two UCX over tcp, before there is one for data.
#pragma once

#include <array>
#include <vector>

#include "cache/base/bytes.h"
#include "transport/ucx/guard/ucx_frames.h"

namespace incipit {

// The body of a greeting: how its sender can be reached. False: not of the form that UCX reads, which it does without
// looking where the bytes end. Form: ucp_wireup_sockaddr_data_v1_t, then an address of version 1 (ucp_address_unpack)
// with interface and endpoint addresses only. Of tcp alone all is known but names, ports and costs; with `several`
// transports only the form is looked at.
bool IsUcxGreetingBody(ByteView body, bool several = false);

// Client: its address; server: its own, or a rejection; client: that it has it. Nothing else, and nothing before its
// turn, at which UCX ends the process. One connection, both directions, one thread.
class UcxGreetingCheck {
 public:
  explicit UcxGreetingCheck(bool accepted, bool several = false) : accepted_(accepted), several_(several) {}
  // False: the connection must end, and UCX must not see these bytes.
  bool OnReceived(ByteView bytes);
  void OnSent(ByteView bytes);

 private:
  struct Side {
    std::array<uint8_t, ucx_wire::kGreetingHeaderBytes> header{};
    size_t header_bytes = 0;
    std::vector<uint8_t> body;
    uint64_t body_bytes = 0;
    int8_t status = 0;
    int messages = 0;  // whole ones
    bool rejected = false;
    // Takes from the front of `bytes` until a message is whole (true) or nothing is left.
    bool Take(ByteView* bytes);
  };
  bool IsTheirTurn() const;
  bool MayPass() const;

  bool accepted_, several_;
  Side in_, out_;
};

}  // namespace incipit
