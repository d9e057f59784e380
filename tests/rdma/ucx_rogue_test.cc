// A peer that speaks UCX's own remote memory access, at addresses of its choice, to a context of ours.
#include <dlfcn.h>

#include "tests/transport/ucx/ucx_fixture.h"
#include "transport/ucx/ucx_config.h"

namespace incipit::testing {
namespace {

constexpr int kAttempts = 2000;

template <typename Function>
Function* Find(const char* name) {
  void* library = dlopen("libucp.so.0", RTLD_NOW | RTLD_NOLOAD);
  return reinterpret_cast<Function*>(dlsym(library, name));
}

class UcxRogueTest : public UcxTest {
 protected:
  void SetUp() override {
    INCIPIT_SKIP_WITHOUT_UCX();
    Listen();
    api_ = *UcxApi::Load();
    ucp_config_t* config = nullptr;
    ASSERT_EQ(api_->config_read(nullptr, nullptr, &config), UCS_OK);
    api_->config_modify(config, "TLS", TestUcxSettings().TransportsOrDefault().c_str());
    api_->config_modify(config, "NET_DEVICES", TestUcxSettings().devices.c_str());
    ucp_params_t params{};
    params.field_mask = UCP_PARAM_FIELD_FEATURES;
    params.features = UCP_FEATURE_AM | UCP_FEATURE_RMA | UCP_FEATURE_AMO64 | UCP_FEATURE_WAKEUP;
    ASSERT_EQ(api_->init_version(UCP_API_MAJOR, UCP_API_MINOR, &params, config, &context_), UCS_OK);
    api_->config_release(config);
    ucp_worker_params_t worker{};
    ASSERT_EQ(api_->worker_create(context_, &worker, &worker_), UCS_OK);
    ucp_ep_params_t endpoint{};
    endpoint.field_mask = UCP_EP_PARAM_FIELD_FLAGS | UCP_EP_PARAM_FIELD_SOCK_ADDR |
                          UCP_EP_PARAM_FIELD_ERR_HANDLING_MODE | UCP_EP_PARAM_FIELD_ERR_HANDLER;
    endpoint.flags = UCP_EP_PARAMS_FLAGS_CLIENT_SERVER;
    endpoint.err_mode = UCP_ERR_HANDLING_MODE_PEER;
    endpoint.err_handler.cb = [](void* failed, ucp_ep_h, ucs_status_t) { *static_cast<bool*>(failed) = true; };
    endpoint.err_handler.arg = &failed_;
    endpoint.sockaddr.addr = reinterpret_cast<const sockaddr*>(&listener_->address().storage);
    endpoint.sockaddr.addrlen = listener_->address().bytes;
    ASSERT_EQ(api_->ep_create(worker_, &endpoint, &endpoint_), UCS_OK);
    MakeKey();
  }
  // A key of our own memory is one that UCX takes; on transports without keys it fits any address.
  void MakeKey() {
    ucp_mem_map_params_t map{};
    map.field_mask = UCP_MEM_MAP_PARAM_FIELD_ADDRESS | UCP_MEM_MAP_PARAM_FIELD_LENGTH;
    map.address = own_.data();
    map.length = own_.size();
    ASSERT_EQ(api_->mem_map(context_, &map, &memory_), UCS_OK);
    void* packed = nullptr;
    size_t bytes = 0;
    ASSERT_EQ(Find<decltype(ucp_rkey_pack)>("ucp_rkey_pack")(context_, memory_, &packed, &bytes), UCS_OK);
    ASSERT_EQ(Find<decltype(ucp_ep_rkey_unpack)>("ucp_ep_rkey_unpack")(endpoint_, packed, &key_), UCS_OK);
    Find<decltype(ucp_rkey_buffer_release)>("ucp_rkey_buffer_release")(packed);
  }
  void Progress(int rounds) {
    for (int i = 0; i < rounds; ++i) {
      api_->worker_progress(worker_);
      loop_->RunOnce(0);
    }
  }
  void Settle(ucs_status_ptr_t request) {
    if (UCS_PTR_IS_PTR(request)) requests_.push_back(request);
    Progress(4);
  }
  void TearDown() override {
    if (api_ == nullptr) return;
    Find<decltype(ucp_rkey_destroy)>("ucp_rkey_destroy")(key_);
    ucp_request_param_t param{};
    param.op_attr_mask = UCP_OP_ATTR_FIELD_FLAGS;
    param.flags = UCP_EP_CLOSE_FLAG_FORCE;
    ucs_status_ptr_t closing = api_->ep_close_nbx(endpoint_, &param);
    Progress(2000);
    if (UCS_PTR_IS_PTR(closing)) api_->request_free(closing);
    for (void* request : requests_) api_->request_free(request);
    api_->mem_unmap(context_, memory_);
    api_->worker_destroy(worker_);
    api_->cleanup(context_);
    UcxTest::TearDown();
  }

  const UcxApi* api_ = nullptr;
  ucp_context_h context_ = nullptr;
  ucp_worker_h worker_ = nullptr;
  ucp_ep_h endpoint_ = nullptr;
  ucp_mem_h memory_ = nullptr;
  ucp_rkey_h key_ = nullptr;
  bool failed_ = false;
  std::vector<uint8_t> own_ = std::vector<uint8_t>(4096, 0xee);
  std::vector<uint8_t> victim_ = std::vector<uint8_t>(4096, 0x11);  // the server's: both are in this process
  std::vector<void*> requests_;
};

TEST_F(UcxRogueTest, PutsOfThePeerWriteNothing) {
  auto* put = Find<decltype(ucp_put_nbx)>("ucp_put_nbx");
  ucp_request_param_t param{};
  for (int i = 0; i < kAttempts && !failed_; ++i) {
    const size_t bytes = 1 + i % 2000;
    Settle(put(endpoint_, own_.data(), bytes, reinterpret_cast<uint64_t>(victim_.data()) + i % 1000, key_, &param));
  }
  Progress(2000);
  EXPECT_EQ(victim_, std::vector<uint8_t>(4096, 0x11));
}

TEST_F(UcxRogueTest, GetsOfThePeerReadNothing) {
  auto* get = Find<decltype(ucp_get_nbx)>("ucp_get_nbx");
  ucp_request_param_t param{};
  for (int i = 0; i < kAttempts && !failed_; ++i) {
    const size_t bytes = 1 + i % 2000;
    Settle(get(endpoint_, own_.data(), bytes, reinterpret_cast<uint64_t>(victim_.data()) + i % 1000, key_, &param));
  }
  Progress(2000);
  EXPECT_EQ(own_, std::vector<uint8_t>(4096, 0xee));
}

TEST_F(UcxRogueTest, TheNodeServesOthersAfterwards) {
  auto* put = Find<decltype(ucp_put_nbx)>("ucp_put_nbx");
  ucp_request_param_t param{};
  Settle(put(endpoint_, own_.data(), 100, 0x1000, key_, &param));  // where nothing is mapped
  Progress(500);
  auto near = loop_->RunTask(connector_->Connect(Address(), loop_->NowNs() + 20 * kSecondNs));
  ASSERT_TRUE(near.ok()) << near.status();
  near_ = *std::move(near);
  far_ = *loop_->RunTask(listener_->Accept());
  std::vector<uint8_t> sent = Pattern(100'000, 1), got(100'000);
  EXPECT_TRUE(Move(far_.get(), {Piece(sent)}, near_.get(), {Piece(got)}).ok());
  EXPECT_EQ(got, sent);
}

}  // namespace
}  // namespace incipit::testing
