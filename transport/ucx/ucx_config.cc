#include "transport/ucx/ucx_config.h"

#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cache/base/status_macros.h"
#include "transport/ucx/guard/ucx_socket_guard.h"

namespace incipit {
namespace {

// UCX reads its upper layer's variables with this in front; there are none, so the user's UCX_TLS and the like do not
// reach us. (Those of single transports still do, where nothing is set here.)
constexpr char kEnvironmentPrefix[] = "INCIPIT_NOT_FROM_THE_ENVIRONMENT";

std::vector<std::pair<const char*, std::string>> FixedSettings(const UcxSettings& settings) {
  const std::string transports = settings.TransportsOrDefault();
  std::vector<std::pair<const char*, std::string>> fixed = {
      {"NET_DEVICES", settings.devices},
      {"TLS", transports},
      // The sender pushes into memory that the receiver offered. It never offers its own: its announcements carry no
      // address and no key (ucp_rndv_rts_pack).
      {"RNDV_SCHEME", "put_zcopy"},
      {"MAX_RNDV_LANES", "1"},
      {"PROTO_ENABLE", "n"},  // the newer protocols abort in 1.13, and were not read for what they put on the wire
      {"KEEPALIVE_INTERVAL", absl::StrCat(kUcxKeepaliveSeconds, "s")},
      {"CM_REUSEADDR", "y"},  // or a node could not take its ports again for a minute
  };
  // Settings of transports go by their names within the transport, to all that know them; UCX warns of others.
  if (settings.UsesTcpAlone()) fixed.emplace_back("CM_USE_ALL_DEVICES", "n");  // one device: nothing to agree on
  if (settings.UsesTcp()) {
    // Its put aborts the process (an assertion in uct_tcp_ep_handle_put_ack) if the acknowledgement of one is still to
    // be read when the peer has gone. Without it, the bytes travel as active messages and are copied once more.
    fixed.insert(fixed.end(), {{"PUT_ENABLE", "n"},
                               {"TX_SEG_SIZE", "1m"},
                               {"RX_SEG_SIZE", "1m"},
                               {"KEEPIDLE", absl::StrCat(kUcxKeepaliveSeconds, "s")},
                               {"KEEPINTVL", "1s"},
                               {"KEEPCNT", absl::StrCat(kUcxKeepaliveProbes)}});
  }
  if (transports.find("posix") != std::string::npos || transports.find("sysv") != std::string::npos) {
    fixed.emplace_back("MM_ERROR_HANDLING", "y");  // otherwise peer error handling silently means tcp
  }
  return fixed;
}

}  // namespace

absl::StatusOr<ucp_context_h> MakeUcxContext(const UcxApi* api, const UcxSettings& settings) {
  if (settings.UsesTcp()) RETURN_IF_ERROR(UcxSocketGuard::Install(/*may_wireup=*/!settings.UsesTcpAlone()));
  ucp_config_t* config = nullptr;
  ucs_status_t status = api->config_read(kEnvironmentPrefix, nullptr, &config);
  if (status != UCS_OK) return absl::UnavailableError(absl::StrCat("ucp_config_read: ", api->ErrorText(status)));
  const std::unique_ptr<ucp_config_t, decltype(api->config_release)> release(config, api->config_release);
  for (const auto& [name, value] : FixedSettings(settings)) {
    status = api->config_modify(config, name, value.c_str());
    if (status != UCS_OK) {
      return absl::UnavailableError(
          absl::StrCat("UCX ", api->Version(), " refuses ", name, "=", value, ": ", api->ErrorText(status)));
    }
  }
  ucp_params_t params{};
  params.field_mask = UCP_PARAM_FIELD_FEATURES | UCP_PARAM_FIELD_NAME;
  params.features = UCP_FEATURE_AM | UCP_FEATURE_WAKEUP;
  params.name = "incipit";
  ucp_context_h context = nullptr;
  status = api->init_version(UCP_API_MAJOR, UCP_API_MINOR, &params, config, &context);
  if (status == UCS_OK) return context;
  return absl::UnavailableError(absl::StrCat("UCX ", api->Version(), " with devices=", settings.devices,
                                             " transports=", settings.TransportsOrDefault(), ": ",
                                             api->ErrorText(status), "; ucx_info -d lists what this machine has"));
}

}  // namespace incipit
