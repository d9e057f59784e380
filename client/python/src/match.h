// What a match found, as Python holds it.
#pragma once

#include <utility>

#include "client/python/src/fork_guard.h"
#include "incipit/client.h"

namespace incipit::python {

// Owns the lease. Needs the GIL, as Python objects do; never blocks.
class Match {
 public:
  explicit Match(MatchResult result) : result_(std::move(result)) {}
  Match(Match&&) = default;
  ~Match() {
    // The lease belongs to the process that asked for it; its connection must not be touched from a forked child.
    if (fork_guard_.InChild()) new Lease(std::move(result_.lease));
  }

  const MatchResult& result() const { return result_; }
  bool leased() const { return result_.lease.held(); }
  void Release() {
    if (!fork_guard_.InChild()) result_.lease.Release();
  }

 private:
  MatchResult result_;
  ForkGuard fork_guard_;
};

}  // namespace incipit::python
