// Calls of several clients at once, and the wait for all of them.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "incipit/client.h"

namespace incipit {

// Results of `count` calls that end on other threads. The callbacks share it with the caller who waits, so whoever is
// last may drop it.
template <typename Result>
class GatheredResults {
 public:
  explicit GatheredResults(size_t count) : results_(count), left_(count) {}
  void Put(size_t index, absl::StatusOr<Result> result) {
    const std::lock_guard<std::mutex> lock(mutex_);
    results_[index] = std::move(result);
    if (--left_ == 0) all_.notify_all();
  }
  std::vector<absl::StatusOr<Result>> Wait() {
    std::unique_lock<std::mutex> lock(mutex_);
    all_.wait(lock, [&] { return left_ == 0; });
    return std::move(results_);
  }

 private:
  std::mutex mutex_;
  std::condition_variable all_;
  std::vector<absl::StatusOr<Result>> results_;
  size_t left_;
};

// Sends requests[i] to clients[i] by `method` (&Client::LoadAsync, say), all at once, and waits for all: each client
// answers by the deadline of its request. REQUIRES: as many clients as requests, with threads of their own.
template <typename Result, typename Request>
std::vector<absl::StatusOr<Result>> CallAll(const std::vector<Client*>& clients, std::vector<Request> requests,
                                            void (Client::*method)(Request, Callback<Result>)) {
  const auto gathered = std::make_shared<GatheredResults<Result>>(clients.size());
  for (size_t i = 0; i < clients.size(); ++i) {
    (clients[i]->*method)(std::move(requests[i]),
                          [gathered, i](absl::StatusOr<Result> result) { gathered->Put(i, std::move(result)); });
  }
  return gathered->Wait();
}

}  // namespace incipit
