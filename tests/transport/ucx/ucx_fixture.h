// A server and a client of the ucx lane on one loop, joined by UCX's own transport over loopback.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "cache/runtime/sync.h"
#include "cache/runtime/uring_loop.h"
#include "tests/support/ucx_here.h"
#include "transport/ucx/ucx_endpoint.h"
#include "transport/ucx/ucx_link.h"
#include "transport/ucx/ucx_stream.h"

namespace incipit::testing {

class UcxTest : public ::testing::Test {
 protected:
  static constexpr int64_t kSecondNs = 1'000'000'000;

  void SetUp() override { INCIPIT_SKIP_WITHOUT_UCX(); }

  void Listen(UcxWorkerOptions options = {}) {
    options.settings = TestUcxSettings();
    auto worker = UcxWorker::Create(loop_.get(), options);
    ASSERT_TRUE(worker.ok()) << worker.status();
    server_ = *std::move(worker);
    auto listener = UcxListener::Create(server_.get(), *ResolveTcpAddress(TestUcxHost() + ":0"));
    ASSERT_TRUE(listener.ok()) << listener.status();
    listener_ = *std::move(listener);
  }
  std::string Address() const {
    const UcxAddress address{listener_->address().ToString(), TestUcxSettings()};
    return address.ToString();
  }
  // Listens if nobody does, and joins near_ (the client's end) with far_ (the server's).
  void Join() {
    if (listener_ == nullptr) Listen();
    auto near = loop_->RunTask(connector_->Connect(Address(), loop_->NowNs() + 5 * kSecondNs));
    ASSERT_TRUE(near.ok()) << near.status();
    near_ = *std::move(near);
    auto far = loop_->RunTask(listener_->Accept());
    ASSERT_TRUE(far.ok()) << far.status();
    far_ = *std::move(far);
  }
  void TearDown() override {
    near_.reset();
    far_.reset();
    listener_.reset();
    server_.reset();
    connector_.reset();
  }

  static std::vector<uint8_t> Pattern(size_t bytes, uint32_t seed) {
    std::vector<uint8_t> pattern(bytes);
    uint32_t state = seed * 2654435761u + 1;
    for (uint8_t& byte : pattern) {
      state = state * 1664525 + 1013904223;
      byte = static_cast<uint8_t>(state >> 24);
    }
    return pattern;
  }
  static iovec Piece(std::vector<uint8_t>& bytes) { return {bytes.data(), bytes.size()}; }

  static Task<void> WriteAll(Stream* stream, std::vector<iovec> pieces, absl::Status* status) {
    Task<absl::StatusOr<size_t>> writing = stream->Write(pieces);
    const absl::StatusOr<size_t> count = co_await writing;
    size_t total = 0;
    for (const iovec& piece : pieces) total += piece.iov_len;
    *status = count.status();
    if (count.ok() && *count != total) *status = absl::InternalError("written in part");
  }
  static Task<absl::Status> ReadAll(Stream* stream, std::vector<iovec> pieces) {
    for (iovec piece : pieces) {
      while (piece.iov_len > 0) {
        Task<absl::StatusOr<size_t>> reading = stream->Read({&piece, 1});
        const absl::StatusOr<size_t> count = co_await reading;
        if (!count.ok()) co_return count.status();
        piece.iov_base = static_cast<uint8_t*>(piece.iov_base) + *count;
        piece.iov_len -= *count;
      }
    }
    co_return absl::OkStatus();
  }
  // Sends `from` one way while it is read at the other end.
  absl::Status Move(Stream* sender, std::vector<iovec> from, Stream* receiver, std::vector<iovec> into) {
    absl::Status written = absl::UnknownError("not written");
    TaskScope scope(loop_.get());
    scope.Spawn(WriteAll(sender, std::move(from), &written));
    absl::Status read = loop_->RunTask(ReadAll(receiver, std::move(into)));
    while (scope.running() > 0) loop_->RunOnce();
    return read.ok() ? written : read;
  }

  std::unique_ptr<UringLoop> loop_ = *UringLoop::Create({});
  std::unique_ptr<UcxConnector> connector_ = std::make_unique<UcxConnector>(loop_.get());
  std::unique_ptr<UcxWorker> server_;
  std::unique_ptr<UcxListener> listener_;
  std::unique_ptr<Stream> near_, far_;
};

}  // namespace incipit::testing
