#include "cache/node/http_server.h"

#include <httplib.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>
#include <utility>

#include "absl/strings/numbers.h"
#include "cache/base/status_macros.h"
#include "fmt/format.h"
#include "transport/tcp/tcp_address.h"

namespace incipit {
namespace {

constexpr size_t kAnsweringThreads = 2;
constexpr time_t kStallSeconds = 3;
constexpr size_t kMaxBodyBytes = 4096;  // of requests; pages take none
constexpr std::chrono::milliseconds kStartPoll{1};

// Splits "127.0.0.1:9401" or "[::1]:9401", as TcpAddress::ToString writes it.
std::pair<std::string, int> HostAndPort(const std::string& address) {
  const size_t colon = address.rfind(':');
  std::string host = address.substr(0, colon);
  if (!host.empty() && host.front() == '[') host = host.substr(1, host.size() - 2);
  return {host, std::stoi(address.substr(colon + 1))};
}

HttpResponse Render(const HttpPage& page, const httplib::Request& request) {
  if (page.render_from == nullptr) return page.render();
  const std::string text = request.has_param("from") ? request.get_param_value("from") : "0";
  uint64_t from = 0;
  if (!absl::SimpleAtoi(text, &from)) return {.code = 400, .body = "from: no number from 0 to 2^64 - 1\n"};
  return page.render_from(from);
}

// The library's default also sets SO_REUSEPORT, with which two nodes would share a port and each miss requests.
void SetSocketOptions(socket_t socket) {
  const int yes = 1;
  setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
}

}  // namespace

struct HttpServer::Impl {
  httplib::Server server;
  std::thread accepting;
  std::atomic<bool> ended{false};
};

HttpServer::HttpServer() : impl_(std::make_unique<Impl>()) {}

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Start(const std::string& listen, std::vector<HttpPage> pages) {
  absl::StatusOr<TcpAddress> address = ResolveTcpAddress(listen);
  if (!address.ok()) {
    return absl::Status(address.status().code(),
                        fmt::format("--http {}: {}", listen, std::string(address.status().message())));
  }
  std::unique_ptr<HttpServer> result(new HttpServer());
  httplib::Server& server = result->impl_->server;
  server.new_task_queue = [] { return new httplib::ThreadPool(kAnsweringThreads); };
  server.set_socket_options(SetSocketOptions);
  // A kept connection would be polled a hundred times a second until its next request.
  server.set_keep_alive_max_count(1);
  server.set_read_timeout(kStallSeconds, 0);
  server.set_write_timeout(kStallSeconds, 0);
  server.set_payload_max_length(kMaxBodyBytes);
  std::string known;
  for (HttpPage& page : pages) {
    known += page.path + "\n";
    const std::string path = page.path;
    server.Get(path, [page = std::move(page)](const httplib::Request& request, httplib::Response& response) {
      HttpResponse made = Render(page, request);
      response.status = made.code;
      response.set_content(made.body, made.content_type);
    });
  }
  server.set_error_handler([known](const httplib::Request&, httplib::Response& response) {
    if (response.status == 404) response.set_content("not found; there are:\n" + known, "text/plain; charset=utf-8");
  });
  auto [host, port] = HostAndPort(address->ToString());
  errno = 0;
  if (port == 0) {
    port = server.bind_to_any_port(host);
  } else if (!server.bind_to_port(host, port)) {
    port = -1;
  }
  if (port < 0) {
    return absl::UnavailableError(
        fmt::format("--http {}: cannot listen there ({}); give another port, 0 for any free "
                    "one, or none for no metrics and health",
                    listen, errno == 0 ? "address not available" : std::strerror(errno)));
  }
  result->address_ =
      host.find(':') == std::string::npos ? fmt::format("{}:{}", host, port) : fmt::format("[{}]:{}", host, port);
  Impl* impl = result->impl_.get();
  impl->accepting = std::thread([impl] {
    pthread_setname_np(pthread_self(), "http");
    impl->server.listen_after_bind();
    impl->ended = true;
  });
  // stop() does nothing before the thread has come to its loop, and the destructor would then wait for ever.
  while (!server.is_running() && !impl->ended) std::this_thread::sleep_for(kStartPoll);
  return result;
}

HttpServer::~HttpServer() {
  if (!impl_->accepting.joinable()) return;
  impl_->server.stop();
  impl_->accepting.join();
}

}  // namespace incipit
