#include "cache/node/node_pages.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace incipit {
namespace {

using testing::HasSubstr;
using testing::Not;

HttpResponse Render(NodePages* pages, const std::string& path) {
  for (const HttpPage& page : pages->Pages()) {
    if (page.path == path) return page.render();
  }
  ADD_FAILURE() << "no page " << path;
  return {};
}

std::unique_ptr<Node> StartNode(uint64_t record_bytes = 0) {
  NodeOptions options;
  options.listen = "127.0.0.1:0";
  options.shards = 2;
  options.ram_bytes = 16 << 20;
  options.huge_pages = false;
  options.node_name = "tested";
  options.record_bytes = record_bytes;
  absl::StatusOr<std::unique_ptr<Node>> node = Node::Start(options);
  EXPECT_TRUE(node.ok()) << node.status();
  return node.ok() ? *std::move(node) : nullptr;
}

TEST(NodePagesTest, BeforeTheNodeServesOnlyHealthIsGood) {
  NodePages pages;
  EXPECT_EQ(Render(&pages, "/healthz").code, 200);
  EXPECT_EQ(Render(&pages, "/readyz").code, 503);
  EXPECT_THAT(Render(&pages, "/readyz").body, HasSubstr("starting"));
  EXPECT_EQ(Render(&pages, "/metrics").code, 200);
}

TEST(NodePagesTest, ServingNodeIsReadyAndAllShardsAreUp) {
  const std::unique_ptr<Node> node = StartNode();
  NodePages pages;
  pages.Serving(node.get());
  EXPECT_EQ(Render(&pages, "/readyz").code, 200);
  const HttpResponse metrics = Render(&pages, "/metrics");
  EXPECT_THAT(metrics.content_type, HasSubstr("version=0.0.4"));
  EXPECT_THAT(metrics.body, HasSubstr("incipit_shard_up{shard=\"1\"} 1"));
  EXPECT_THAT(metrics.body, HasSubstr("node=\"tested\""));
}

TEST(NodePagesTest, StoppedNodeIsNotReadyAndItsShardsAreDown) {
  const std::unique_ptr<Node> node = StartNode();
  NodePages pages;
  pages.Serving(node.get());
  pages.Stopping();
  EXPECT_EQ(Render(&pages, "/readyz").code, 503);
  ASSERT_TRUE(node->Stop(10'000).ok());
  EXPECT_THAT(Render(&pages, "/metrics").body, HasSubstr("incipit_shard_up{shard=\"0\"} 0"));
  pages.Forget();
  EXPECT_THAT(Render(&pages, "/metrics").body, Not(HasSubstr("incipit_shard_up")));
}

HttpResponse Recording(NodePages* pages, uint64_t from) {
  for (const HttpPage& page : pages->Pages()) {
    if (page.path == "/recording") return page.render_from(from);
  }
  ADD_FAILURE() << "no page of recordings";
  return {};
}

TEST(NodePagesTest, WithoutARecordingThereIsNoPage) {
  NodePages pages;
  EXPECT_EQ(Recording(&pages, 0).code, 404);
  const std::unique_ptr<Node> node = StartNode();
  pages.Serving(node.get());
  EXPECT_EQ(Recording(&pages, 0).code, 404);
  EXPECT_THAT(Recording(&pages, 0).body, HasSubstr("--record-bytes"));
  pages.Forget();
}

TEST(NodePagesTest, ARecordingIsShownFromWhereOneAsks) {
  const std::unique_ptr<Node> node = StartNode(1 << 20);
  NodePages pages;
  pages.Serving(node.get());
  EXPECT_EQ(Recording(&pages, 0).body, "{\"next\": 0, \"missed\": 0, \"partial\": 0}\n");
  pages.Forget();
}

}  // namespace
}  // namespace incipit
