#include "cache/node/http_server.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <future>

#include "transport/tcp/tcp_address.h"

namespace incipit {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

int ConnectTo(const std::string& address) {
  const absl::StatusOr<TcpAddress> resolved = ResolveTcpAddress(address);
  EXPECT_TRUE(resolved.ok()) << resolved.status();
  const int fd = socket(resolved->storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  EXPECT_EQ(connect(fd, reinterpret_cast<const sockaddr*>(&resolved->storage), resolved->bytes), 0);
  return fd;
}

// All that comes back until the server closes the connection.
std::string Ask(const std::string& address, const std::string& request) {
  const int fd = ConnectTo(address);
  EXPECT_EQ(write(fd, request.data(), request.size()), static_cast<ssize_t>(request.size()));
  std::string answer;
  char buffer[4096];
  for (ssize_t got = 0; (got = read(fd, buffer, sizeof(buffer))) > 0;) answer.append(buffer, static_cast<size_t>(got));
  close(fd);
  return answer;
}

std::string Get(const std::string& address, const std::string& path) {
  return Ask(address, "GET " + path + " HTTP/1.1\r\nHost: test\r\n\r\n");
}

std::unique_ptr<HttpServer> StartServer(std::vector<HttpPage> pages, const std::string& listen = "127.0.0.1:0") {
  absl::StatusOr<std::unique_ptr<HttpServer>> server = HttpServer::Start(listen, std::move(pages));
  EXPECT_TRUE(server.ok()) << server.status();
  return server.ok() ? *std::move(server) : nullptr;
}

TEST(HttpServerTest, PageIsAnsweredWithItsCodeTypeAndBody) {
  const auto server =
      StartServer({{"/page", [] { return HttpResponse{.code = 503, .content_type = "text/x", .body = "hello"}; }}});
  const std::string answer = Get(server->address(), "/page");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 503"));
  EXPECT_THAT(answer, HasSubstr("Content-Type: text/x"));
  EXPECT_THAT(answer, HasSubstr("\r\n\r\nhello"));
}

TEST(HttpServerTest, ConnectionClosesAfterTheAnswer) {
  const auto server = StartServer({{"/page", [] { return HttpResponse{.body = "x"}; }}});
  EXPECT_THAT(Get(server->address(), "/page"), HasSubstr("Connection: close"));
}

TEST(HttpServerTest, UnknownPathListsThePages) {
  const auto server = StartServer({{"/metrics", [] { return HttpResponse{}; }}});
  const std::string answer = Get(server->address(), "/");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 404"));
  EXPECT_THAT(answer, HasSubstr("/metrics"));
}

TEST(HttpServerTest, PostIsRefused) {
  const auto server = StartServer({{"/page", [] { return HttpResponse{.body = "secret"}; }}});
  const std::string answer = Ask(server->address(), "POST /page HTTP/1.1\r\nHost: test\r\nContent-Length: 0\r\n\r\n");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 404"));
  EXPECT_THAT(answer, Not(HasSubstr("secret")));
}

TEST(HttpServerTest, PortInUseIsRefusedWithAdvice) {
  const auto first = StartServer({});
  const auto second = HttpServer::Start(first->address(), {});
  ASSERT_EQ(second.status().code(), absl::StatusCode::kUnavailable) << second.status();
  EXPECT_THAT(std::string(second.status().message()), HasSubstr("--http " + first->address()));
  EXPECT_THAT(std::string(second.status().message()), HasSubstr("another port"));
}

TEST(HttpServerTest, MalformedAddressIsInvalid) {
  for (const char* address : {"", "127.0.0.1", "127.0.0.1:port", "127.0.0.1:70000"}) {
    const auto server = HttpServer::Start(address, {});
    EXPECT_EQ(server.status().code(), absl::StatusCode::kInvalidArgument) << address << ": " << server.status();
  }
}

TEST(HttpServerTest, ListensOnVersionSixLoopback) {
  const int probe = socket(AF_INET6, SOCK_STREAM, 0);
  sockaddr_in6 any{};
  any.sin6_family = AF_INET6;
  any.sin6_addr = in6addr_loopback;
  const bool available = probe >= 0 && bind(probe, reinterpret_cast<sockaddr*>(&any), sizeof(any)) == 0;
  if (probe >= 0) close(probe);
  if (!available) GTEST_SKIP() << "no IPv6 on this machine";
  const auto server = StartServer({{"/page", [] { return HttpResponse{.body = "six"}; }}}, "[::1]:0");
  EXPECT_THAT(server->address(), StartsWith("[::1]:"));
  EXPECT_THAT(Get(server->address(), "/page"), HasSubstr("six"));
}

TEST(HttpServerTest, SecondPageAnswersWhileTheFirstWaits) {
  std::promise<void> release;
  std::promise<void> entered;
  const auto server = StartServer({{"/slow",
                                    [&] {
                                      entered.set_value();
                                      release.get_future().wait();
                                      return HttpResponse{.body = "slow"};
                                    }},
                                   {"/fast", [] { return HttpResponse{.body = "fast"}; }}});
  auto slow = std::async(std::launch::async, [&] { return Get(server->address(), "/slow"); });
  entered.get_future().wait();
  EXPECT_THAT(Get(server->address(), "/fast"), HasSubstr("fast"));
  release.set_value();
  EXPECT_THAT(slow.get(), HasSubstr("slow"));
}

TEST(HttpServerTest, OversizedRequestLineIsRefused) {
  const auto server = StartServer({{"/page", [] { return HttpResponse{.body = "x"}; }}});
  const std::string answer = Get(server->address(), "/" + std::string(100'000, 'a'));
  EXPECT_THAT(answer, Not(HasSubstr("200 OK")));
  EXPECT_THAT(Get(server->address(), "/page"), HasSubstr("200 OK"));
}

TEST(HttpServerTest, StartAndStopManyTimes) {
  for (int i = 0; i < 50; ++i) {
    const auto server = StartServer({{"/page", [] { return HttpResponse{.body = "x"}; }}});
    ASSERT_NE(server, nullptr);
  }
}

}  // namespace
}  // namespace incipit
