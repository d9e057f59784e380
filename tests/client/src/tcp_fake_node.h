// A fake node on a TCP port of this host, on a thread of its own: for tests of what only a real client has.
#pragma once

#include <fmt/format.h>

#include <memory>
#include <string>
#include <thread>

#include "cache/runtime/uring_loop.h"
#include "tests/client/src/core/fake_node.h"
#include "transport/tcp/tcp_endpoint.h"

namespace incipit {

// Configure node() before Start(); afterwards it belongs to the thread, until Stop().
class TcpFakeNode {
 public:
  explicit TcpFakeNode(const std::string& address = "127.0.0.1:0") {
    UringLoopOptions options;
    options.single_thread = false;
    loop_ = *UringLoop::Create(options);
    auto listener = *TcpListener::Create(loop_.get(), *ResolveTcpAddress(address));
    address_ = listener->address().ToString();
    node_ = std::make_unique<FakeNode>(loop_.get(), std::move(listener));
  }
  ~TcpFakeNode() { Stop(); }
  FakeNode* node() { return node_.get(); }
  std::string address() const { return fmt::format("tcp://{}", address_); }
  std::string host_port() const { return address_; }

  void Start() {
    thread_ = std::thread([this] {
      node_->Start();
      loop_->Run();
    });
  }
  void Stop() {
    if (!thread_.joinable()) return;
    loop_->Stop();
    thread_.join();
    loop_->RunTask(node_->Stop());
  }

 private:
  std::unique_ptr<UringLoop> loop_;
  std::string address_;
  std::unique_ptr<FakeNode> node_;
  std::thread thread_;
};

}  // namespace incipit
