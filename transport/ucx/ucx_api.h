// The functions of libucp, loaded when the lane is first used: a process that has no ucx lane neither needs the library
// nor runs any code of it.
#pragma once

#include <ucp/api/ucp.h>

#include <string>

#include "absl/status/statusor.h"

namespace incipit {

// Immutable once loaded; any thread. Members are named as in UCX, without the prefix ucp_.
struct UcxApi {
  // Loads libucp.so.0 once for the process and keeps it. Unavailable: not installed, or a version that is not known to
  // behave (transport/ucx/README.md); the message says what to install.
  static absl::StatusOr<const UcxApi*> Load();

  std::string Version() const;  // "1.13.1"
  std::string ErrorText(ucs_status_t status) const;

  decltype(&::ucp_get_version) get_version = nullptr;
  decltype(&::ucs_status_string) status_string = nullptr;
  decltype(&::ucp_config_read) config_read = nullptr;
  decltype(&::ucp_config_modify) config_modify = nullptr;
  decltype(&::ucp_config_release) config_release = nullptr;
  decltype(&::ucp_init_version) init_version = nullptr;
  decltype(&::ucp_cleanup) cleanup = nullptr;
  decltype(&::ucp_worker_create) worker_create = nullptr;
  decltype(&::ucp_worker_destroy) worker_destroy = nullptr;
  decltype(&::ucp_worker_get_efd) worker_get_efd = nullptr;
  decltype(&::ucp_worker_arm) worker_arm = nullptr;
  decltype(&::ucp_worker_progress) worker_progress = nullptr;
  decltype(&::ucp_worker_set_am_recv_handler) worker_set_am_recv_handler = nullptr;
  decltype(&::ucp_listener_create) listener_create = nullptr;
  decltype(&::ucp_listener_destroy) listener_destroy = nullptr;
  decltype(&::ucp_listener_query) listener_query = nullptr;
  decltype(&::ucp_listener_reject) listener_reject = nullptr;
  decltype(&::ucp_conn_request_query) conn_request_query = nullptr;
  decltype(&::ucp_ep_create) ep_create = nullptr;
  decltype(&::ucp_ep_close_nbx) ep_close_nbx = nullptr;
  decltype(&::ucp_ep_flush_nbx) ep_flush_nbx = nullptr;
  decltype(&::ucp_am_send_nbx) am_send_nbx = nullptr;
  decltype(&::ucp_am_recv_data_nbx) am_recv_data_nbx = nullptr;
  decltype(&::ucp_am_data_release) am_data_release = nullptr;
  decltype(&::ucp_dt_create_generic) dt_create_generic = nullptr;
  decltype(&::ucp_dt_destroy) dt_destroy = nullptr;
  decltype(&::ucp_request_free) request_free = nullptr;
  decltype(&::ucp_mem_map) mem_map = nullptr;
  decltype(&::ucp_mem_unmap) mem_unmap = nullptr;
};

}  // namespace incipit
