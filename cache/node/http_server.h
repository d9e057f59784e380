// The node's HTTP listener for scrapers and probes. It knows nothing of shards: pages are functions given to it.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace incipit {

struct HttpResponse {
  int code = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;
};

struct HttpPage {
  std::string path;                      // "/metrics"
  std::function<HttpResponse()> render;  // called on a thread of the server, by several at once
  // In place of `render`: of a page that goes on, "path?from=N"; without N from 0. What is no number is answered 400.
  std::function<HttpResponse(uint64_t from)> render_from = nullptr;
};

// Owner: the process, for as long as it should answer. Start and destruction from one thread.
//
// Two threads answer requests, one accepts; all three sleep in the kernel while there are none. A client that stops
// sending or taking bytes holds one of the two for three seconds. Connections are closed after each answer.
class HttpServer {
 public:
  // Listens on "host:port" (port 0 takes a free one) and answers GET for the pages; other paths get 404 and the list.
  // InvalidArgument: malformed address. Unavailable: the address cannot be listened on; the message says what to do.
  static absl::StatusOr<std::unique_ptr<HttpServer>> Start(const std::string& listen, std::vector<HttpPage> pages);
  // Waits for answers under way: what pages refer to must live until then.
  ~HttpServer();

  // "127.0.0.1:9401", with the port really taken.
  const std::string& address() const { return address_; }

 private:
  HttpServer();
  struct Impl;
  std::unique_ptr<Impl> impl_;
  std::string address_;
};

}  // namespace incipit
