// Addresses of the ucx lane: "ucx://host:port", and which devices and transports may be used:
// "ucx://10.0.0.5:9410?devices=mlx5_0:1&transports=rc".
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace incipit {

// Which of the machine's ways UCX may take. Immutable text, checked for form only; UCX says whether they exist.
struct UcxSettings {
  std::string devices;  // as in UCX_NET_DEVICES: "eth0", "mlx5_0:1"; never "all": UCX would stripe over every interface
  std::string transports;  // as in UCX_TLS: "tcp", "rc_verbs", "posix,tcp"; empty = by the device: rc, or tcp
  // What `transports` is, or stands for if empty.
  std::string TransportsOrDefault() const;
  // Whether UCX's own tcp transport is among them, which trusts its peers with this process's memory (guard/).
  bool UsesTcp() const;
  bool UsesTcpAlone() const { return TransportsOrDefault() == "tcp"; }
  friend bool operator==(const UcxSettings&, const UcxSettings&) = default;
};

struct UcxAddress {
  static constexpr std::string_view kScheme = "ucx://";
  static bool IsUcx(std::string_view address) { return address.starts_with(kScheme); }

  std::string host_port;
  UcxSettings settings;

  // InvalidArgument: malformed, an unknown setting, or no device named where the host is not this one.
  static absl::StatusOr<UcxAddress> Parse(std::string_view address);
  std::string ToString() const;
};

// Each shard of a node has a port of its own on this lane, since UCX's connections cannot move between threads: shard k
// of the node at port p listens on p + k. Other addresses are given back as they are, and so are malformed ones.
std::string UcxAddressOfShard(const std::string& address, uint16_t shard);

}  // namespace incipit
