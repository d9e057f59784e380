// The C interface, called from C.
#include <gtest/gtest.h>

#include <cstdlib>

#include "incipit/incipit.h"
#include "tests/client/src/c_calls.h"
#include "tests/client/src/tcp_fake_node.h"

namespace incipit {
namespace {

class CApi : public testing::TestWithParam<int> {
 protected:
  CApi() {
    server_.node()->shard_count = 2;
    server_.Start();
  }
  TcpFakeNode server_;
};
INSTANTIATE_TEST_SUITE_P(ClientProgress, CApi, testing::Values(INCIPIT_PROGRESS_THREAD, INCIPIT_PROGRESS_CALLER));

TEST_P(CApi, StoresMatchesAndLoads) {
  EXPECT_STREQ(CallStoreMatchLoad(server_.address().c_str(), GetParam()), nullptr);
}
TEST_P(CApi, LoadsAsynchronously) { EXPECT_STREQ(CallAsyncLoad(server_.address().c_str(), GetParam()), nullptr); }
TEST_P(CApi, TouchesOffersRemovesAndCounts) {
  EXPECT_STREQ(CallTouchOfferRemoveStats(server_.address().c_str(), GetParam()), nullptr);
}

TEST_P(CApi, StoresUnderACodec) { EXPECT_STREQ(CallWithCodec(server_.address().c_str(), GetParam()), nullptr); }

TEST(CApiMistakes, AreToldByCodeAndText) {
  TcpFakeNode server;
  server.Start();
  EXPECT_STREQ(CallWithMistakes(server.address().c_str()), nullptr);
}

TEST(CApiMistakes, MissingNodeIsUnavailable) { EXPECT_STREQ(CallWithoutNode(), nullptr); }

TEST(CApiRegions, AreMemoryOfWholePages) { EXPECT_STREQ(CallSharedRegion(), nullptr); }

TEST(Examples, RunAgainstANode) {
  TcpFakeNode server;
  server.Start();
  for (const char* name : {"incipit_example_cc", "incipit_example_c"}) {
    const std::string command = fmt::format("{}/{} {} > /dev/null", INCIPIT_BINARY_DIR, name, server.address());
    EXPECT_EQ(std::system(command.c_str()), 0) << command;
    EXPECT_NE(std::system(fmt::format("{}/{} tcp://127.0.0.1:1 2> /dev/null", INCIPIT_BINARY_DIR, name).c_str()), 0);
  }
}

}  // namespace
}  // namespace incipit
