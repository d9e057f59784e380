#include "transport/tcp/free_ports.h"

#include <gtest/gtest.h>

#include "transport/tcp/tcp_endpoint.h"

namespace incipit {
namespace {

TEST(FreePorts, AllOfThemCanBeListenedOn) {
  for (const char* host : {"127.0.0.1:0", "[::1]:0"}) {
    const auto address = ResolveTcpAddress(host);
    ASSERT_TRUE(address.ok());
    const auto first = FindFreePorts(*address, 3);
    if (!first.ok() && std::string(host)[0] == '[') continue;  // a machine without IPv6
    ASSERT_TRUE(first.ok()) << first.status();
    auto loop = UringLoop::Create({});
    std::vector<std::unique_ptr<TcpListener>> listeners;
    for (uint16_t i = 0; i < 3; ++i) {
      auto listener = TcpListener::Create(loop->get(), WithPort(*address, static_cast<uint16_t>(*first + i)));
      ASSERT_TRUE(listener.ok()) << listener.status();
      EXPECT_EQ(PortOf((*listener)->address()), *first + i);
      listeners.push_back(*std::move(listener));
    }
  }
}

TEST(FreePorts, AddressThatIsNotOursHasNone) {
  const auto first = FindFreePorts(*ResolveTcpAddress("192.0.2.1:0"), 1);
  EXPECT_EQ(first.status().code(), absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace incipit
