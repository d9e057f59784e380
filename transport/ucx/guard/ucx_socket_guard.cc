#include "transport/ucx/guard/ucx_socket_guard.h"

#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <link.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "transport/ucx/guard/ucx_watched_socket.h"
#include "transport/ucx/ucx_api.h"

namespace incipit {
namespace {

constexpr int kMaxDescriptor = 1 << 16;  // of a socket of UCX's; none above is read from
constexpr char kVersion[] = "1.13.";

std::array<std::atomic<UcxWatchedSocket*>, kMaxDescriptor> g_sockets;  // made when first used, and kept
std::atomic<uint64_t> g_refused{0};
std::atomic<bool> g_may_wireup{false};

// What is watched under this number, locked, and begun anew if it is another socket by now. Null: refuse.
UcxWatchedSocket* Watch(int fd, std::unique_lock<std::mutex>* lock) {
  uint64_t cookie = 0;
  socklen_t bytes = sizeof(cookie);
  if (fd < 0 || fd >= kMaxDescriptor || getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &bytes) != 0) return nullptr;
  UcxWatchedSocket* watched = g_sockets[fd].load(std::memory_order_acquire);
  if (watched == nullptr) {
    auto made = std::make_unique<UcxWatchedSocket>();
    if (g_sockets[fd].compare_exchange_strong(watched, made.get())) watched = made.release();
  }
  *lock = std::unique_lock(watched->mutex);
  if (watched->cookie == cookie) return watched;
  UcxConnectionCheck::Options options{.may_wireup = g_may_wireup, .own = {}, .peer = {}};
  options.own.bytes = options.peer.bytes = sizeof(sockaddr_storage);
  getsockname(fd, reinterpret_cast<sockaddr*>(&options.own.storage), &options.own.bytes);
  getpeername(fd, reinterpret_cast<sockaddr*>(&options.peer.storage), &options.peer.bytes);
  watched->Begin(cookie, options);
  return watched;
}

// As if the peer had cut the connection.
ssize_t Refuse(int fd) {
  shutdown(fd, SHUT_RDWR);
  errno = ECONNRESET;
  return -1;
}

// After a send that failed UCX has given the connection up, and answers that it still reads are answers to nothing.
void EndIfGone(UcxWatchedSocket* watched) {
  if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR && errno != ENOBUFS) watched->End();
}

ssize_t CheckedRecv(int fd, void* into, size_t bytes, int flags) {
  std::unique_lock<std::mutex> lock;
  UcxWatchedSocket* watched = Watch(fd, &lock);
  if (watched == nullptr || watched->refused()) return Refuse(fd);
  const ssize_t count = recv(fd, into, std::min(bytes, watched->MaxReceive()), flags);
  if (count <= 0) return count;
  if (watched->OnReceived({static_cast<const uint8_t*>(into), static_cast<size_t>(count)})) return count;
  g_refused.fetch_add(1, std::memory_order_relaxed);
  return Refuse(fd);
}

ssize_t CheckedSend(int fd, const void* from, size_t bytes, int flags) {
  std::unique_lock<std::mutex> lock;
  UcxWatchedSocket* watched = Watch(fd, &lock);
  if (watched == nullptr || watched->refused()) return Refuse(fd);
  const ssize_t count = send(fd, from, bytes, flags);
  if (count < 0) EndIfGone(watched);
  if (count > 0) watched->OnSent({static_cast<const uint8_t*>(from), static_cast<size_t>(count)});
  return count;
}

ssize_t CheckedSendmsg(int fd, const msghdr* message, int flags) {
  std::unique_lock<std::mutex> lock;
  UcxWatchedSocket* watched = Watch(fd, &lock);
  if (watched == nullptr || watched->refused()) return Refuse(fd);
  const ssize_t count = sendmsg(fd, message, flags);
  if (count < 0) EndIfGone(watched);
  auto left = static_cast<size_t>(std::max<ssize_t>(count, 0));
  for (size_t i = 0; i < message->msg_iovlen && left > 0; ++i) {
    const size_t take = std::min(left, message->msg_iov[i].iov_len);
    watched->OnSent({static_cast<const uint8_t*>(message->msg_iov[i].iov_base), take});
    left -= take;
  }
  return count;
}

const std::pair<const char*, void*> kReplaced[] = {
    {"recv", reinterpret_cast<void*>(&CheckedRecv)},
    {"send", reinterpret_cast<void*>(&CheckedSend)},
    {"sendmsg", reinterpret_cast<void*>(&CheckedSendmsg)},
};

// The parts of a loaded library that say which of its pointers is filled with which function.
struct LinkTable {
  const ElfW(Sym) * symbols = nullptr;
  const char* names = nullptr;
  const ElfW(Rela) * relocations[2] = {nullptr, nullptr};  // of calls, and of addresses
  size_t counts[2] = {0, 0};

  explicit LinkTable(const link_map* map) {
    for (const ElfW(Dyn)* entry = map->l_ld; entry->d_tag != DT_NULL; ++entry) {
      const auto pointer = entry->d_un.d_ptr;
      if (entry->d_tag == DT_SYMTAB) symbols = reinterpret_cast<const ElfW(Sym)*>(pointer);
      if (entry->d_tag == DT_STRTAB) names = reinterpret_cast<const char*>(pointer);
      if (entry->d_tag == DT_JMPREL) relocations[0] = reinterpret_cast<const ElfW(Rela)*>(pointer);
      if (entry->d_tag == DT_PLTRELSZ) counts[0] = entry->d_un.d_val / sizeof(ElfW(Rela));
      if (entry->d_tag == DT_RELA) relocations[1] = reinterpret_cast<const ElfW(Rela)*>(pointer);
      if (entry->d_tag == DT_RELASZ) counts[1] = entry->d_un.d_val / sizeof(ElfW(Rela));
    }
  }
};

// Writes to a pointer that the loader may have made read-only once it had filled it.
bool Point(void** slot, void* function) {
  const auto page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  void* start = reinterpret_cast<void*>(reinterpret_cast<uintptr_t>(slot) & ~(page - 1));
  if (mprotect(start, page, PROT_READ | PROT_WRITE) != 0) return false;
  std::atomic_ref<void*>(*slot).store(function, std::memory_order_release);
  return true;
}

// How many pointers of the library to `name` lead to `function` now.
int PointAll(const link_map* map, const LinkTable& table, std::string_view name, void* function) {
  int done = 0;
  for (int kind = 0; kind < 2; ++kind) {
    for (size_t i = 0; table.relocations[kind] != nullptr && i < table.counts[kind]; ++i) {
      const ElfW(Rela)& entry = table.relocations[kind][i];
      const auto type = ELF64_R_TYPE(entry.r_info);
      if (type != R_X86_64_JUMP_SLOT && type != R_X86_64_GLOB_DAT) continue;
      if (name != table.names + table.symbols[ELF64_R_SYM(entry.r_info)].st_name) continue;
      if (!Point(reinterpret_cast<void**>(map->l_addr + entry.r_offset), function)) return 0;
      ++done;
    }
  }
  return done;
}

absl::Status InstallOnce() {
  const absl::StatusOr<const UcxApi*> api = UcxApi::Load();
  if (!api.ok()) return api.status();
  if (!(*api)->Version().starts_with(kVersion)) {
    return absl::UnavailableError(absl::StrCat("UCX's tcp is only used with UCX ", kVersion, "x, whose frames are ",
                                               "checked before it reads them; found ", (*api)->Version(),
                                               ". Use another transport, or the tcp lane"));
  }
  void* library = dlopen("libucs.so.0", RTLD_NOW | RTLD_NOLOAD);
  link_map* map = nullptr;
  if (library == nullptr || dlinfo(library, RTLD_DI_LINKMAP, &map) != 0) {
    return absl::UnavailableError("UCX's tcp cannot be checked: libucs.so.0 is not loaded");
  }
  const LinkTable table(map);  // the library stays loaded: our count of it is kept
  for (const auto& [name, function] : kReplaced) {
    if (table.symbols == nullptr || table.names == nullptr || PointAll(map, table, name, function) == 0) {
      return absl::UnavailableError(absl::StrCat("UCX's tcp cannot be checked: libucs does not call ", name));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status UcxSocketGuard::Install(bool may_wireup) {
  if (may_wireup) g_may_wireup = true;
  static const absl::Status installed = InstallOnce();
  return installed;
}

uint64_t UcxSocketGuard::refused() { return g_refused.load(std::memory_order_relaxed); }

}  // namespace incipit
