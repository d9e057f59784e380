#include "transport/ucx/ucx_api.h"

#include <dlfcn.h>
#include <signal.h>

#include <array>
#include <cstdlib>

#include "absl/strings/str_cat.h"

namespace incipit {
namespace {

constexpr char kLibrary[] = "libucp.so.0";
constexpr unsigned kMajor = 1, kMinMinor = 13;

// UCX installs handlers for crashes when it is loaded. Whoever runs the process decides about those, so they are put
// back as they were.
class KeepSignalHandlers {
 public:
  KeepSignalHandlers() {
    for (size_t i = 0; i < kSignals.size(); ++i) sigaction(kSignals[i], nullptr, &before_[i]);
  }
  ~KeepSignalHandlers() {
    for (size_t i = 0; i < kSignals.size(); ++i) sigaction(kSignals[i], &before_[i], nullptr);
  }

 private:
  static constexpr std::array kSignals = {SIGILL, SIGSEGV, SIGBUS, SIGFPE, SIGABRT, SIGTERM, SIGINT, SIGHUP};
  std::array<struct sigaction, kSignals.size()> before_{};
};

template <typename Function>
bool Find(void* library, const char* name, Function* function) {
  *function = reinterpret_cast<Function>(dlsym(library, name));
  return *function != nullptr;
}

bool FindAll(void* library, UcxApi* api) {
  return Find(library, "ucp_get_version", &api->get_version) &&
         Find(library, "ucs_status_string", &api->status_string) &&
         Find(library, "ucp_config_read", &api->config_read) &&
         Find(library, "ucp_config_modify", &api->config_modify) &&
         Find(library, "ucp_config_release", &api->config_release) &&
         Find(library, "ucp_init_version", &api->init_version) && Find(library, "ucp_cleanup", &api->cleanup) &&
         Find(library, "ucp_worker_create", &api->worker_create) &&
         Find(library, "ucp_worker_destroy", &api->worker_destroy) &&
         Find(library, "ucp_worker_get_efd", &api->worker_get_efd) &&
         Find(library, "ucp_worker_arm", &api->worker_arm) &&
         Find(library, "ucp_worker_progress", &api->worker_progress) &&
         Find(library, "ucp_worker_set_am_recv_handler", &api->worker_set_am_recv_handler) &&
         Find(library, "ucp_listener_create", &api->listener_create) &&
         Find(library, "ucp_listener_destroy", &api->listener_destroy) &&
         Find(library, "ucp_listener_query", &api->listener_query) &&
         Find(library, "ucp_listener_reject", &api->listener_reject) &&
         Find(library, "ucp_conn_request_query", &api->conn_request_query) &&
         Find(library, "ucp_ep_create", &api->ep_create) && Find(library, "ucp_ep_close_nbx", &api->ep_close_nbx) &&
         Find(library, "ucp_ep_flush_nbx", &api->ep_flush_nbx) && Find(library, "ucp_am_send_nbx", &api->am_send_nbx) &&
         Find(library, "ucp_am_recv_data_nbx", &api->am_recv_data_nbx) &&
         Find(library, "ucp_am_data_release", &api->am_data_release) &&
         Find(library, "ucp_dt_create_generic", &api->dt_create_generic) &&
         Find(library, "ucp_dt_destroy", &api->dt_destroy) && Find(library, "ucp_request_free", &api->request_free) &&
         Find(library, "ucp_mem_map", &api->mem_map) && Find(library, "ucp_mem_unmap", &api->mem_unmap);
}

// UCX writes a warning of some forty lines to standard output for every message that it has no use for, so that a peer
// could fill the disk that the log is on. Errors stay. Not part of the stable interface: without it,
// UCX_LOG_LEVEL=error.
void QuietenUcx() {
  void* library = dlopen("libucs.so.0", RTLD_NOW | RTLD_NOLOAD);
  if (library == nullptr) return;
  ucs_status_t (*set_option)(const char* name, const char* value) = nullptr;
  if (std::getenv("UCX_LOG_LEVEL") == nullptr && Find(library, "ucs_global_opts_set_value", &set_option)) {
    set_option("LOG_LEVEL", "error");
  }
  dlclose(library);  // only our count of it
}

absl::StatusOr<const UcxApi*> LoadOnce() {
  static UcxApi api;
  void* library = nullptr;
  {
    KeepSignalHandlers keep;
    library = dlopen(kLibrary, RTLD_NOW | RTLD_LOCAL);
  }
  if (library == nullptr) {
    return absl::UnavailableError(
        absl::StrCat("the ucx lane needs ", kLibrary, " (Debian: libucx0), which cannot be loaded: ", dlerror()));
  }
  QuietenUcx();
  if (!FindAll(library, &api)) return absl::UnavailableError(absl::StrCat(kLibrary, " is incomplete: ", dlerror()));
  unsigned major = 0, minor = 0, release = 0;
  api.get_version(&major, &minor, &release);
  if (major != kMajor || minor < kMinMinor) {
    return absl::UnavailableError(absl::StrCat("the ucx lane needs UCX ", kMajor, ".", kMinMinor, " or a later ",
                                               kMajor, ".x, found ", api.Version()));
  }
  return &api;
}

}  // namespace

absl::StatusOr<const UcxApi*> UcxApi::Load() {
  static const absl::StatusOr<const UcxApi*> loaded = LoadOnce();
  return loaded;
}

std::string UcxApi::Version() const {
  unsigned major = 0, minor = 0, release = 0;
  get_version(&major, &minor, &release);
  return absl::StrCat(major, ".", minor, ".", release);
}

std::string UcxApi::ErrorText(ucs_status_t status) const { return status_string(status); }

}  // namespace incipit
