// Real nodes, in this process.
#include "client/cli/top/top_observer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "client/cli/top/top_source.h"
#include "tests/support/cli_fixture.h"

namespace incipit {
namespace {

class TopObserverTest : public CliNodeTest {
 protected:
  std::unique_ptr<TopObserver> Watch(std::vector<std::string> addresses, uint32_t timeout_ms = 20'000) {
    TopSourceOptions options{.nodes = std::move(addresses)};
    options.connect.timeout_ms = timeout_ms;
    auto source = OpenTopSource(options);
    EXPECT_TRUE(source.ok()) << source.status();
    auto observer = TopObserver::Create(options.connect, *std::move(source));
    EXPECT_TRUE(observer.ok()) << observer.status();
    return *std::move(observer);
  }
  std::string Address() const { return "tcp://" + node_->address(); }
};

TEST_F(TopObserverTest, AllShardsAreAskedAgainAndAgain) {
  const auto observer = Watch({Address()});
  for (int look = 0; look < 3; ++look) {
    const ClusterSample sample = observer->Look();
    ASSERT_EQ(sample.nodes.size(), 1u);
    EXPECT_TRUE(sample.nodes[0].status.ok()) << sample.nodes[0].status;
    EXPECT_EQ(sample.nodes[0].shards.size(), 2u);
    EXPECT_EQ(sample.nodes[0].activity.size(), 2u);
    EXPECT_NE(sample.nodes[0].name, "");
  }
}

TEST_F(TopObserverTest, WhoDoesNotAnswerIsAwayAndComesBack) {
  const std::string address = node_->address();
  const auto observer = Watch({"tcp://127.0.0.1:1", "tcp://" + address}, 2'000);
  EXPECT_FALSE(observer->Look().nodes[0].status.ok());
  EXPECT_TRUE(observer->Look().nodes[1].status.ok());
  ASSERT_TRUE(node_->Stop(10'000).ok());
  node_.reset();
  EXPECT_FALSE(observer->Look().nodes[1].status.ok());
  EXPECT_TRUE(observer->Look().nodes[1].shards.empty());
  NodeOptions options;
  options.listen = address;
  options.shards = 1;  // not as many as before
  options.ram_bytes = 64 << 20;
  options.huge_pages = false;
  auto node = Node::Start(options);
  ASSERT_TRUE(node.ok()) << node.status();
  node_ = *std::move(node);
  (void)observer->Look();  // notices that there is another number of shards
  const ClusterSample sample = observer->Look();
  EXPECT_TRUE(sample.nodes[1].status.ok()) << sample.nodes[1].status;
  EXPECT_EQ(sample.nodes[1].shards.size(), 1u);
}

}  // namespace
}  // namespace incipit
