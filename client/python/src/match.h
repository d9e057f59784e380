// What a match found, as Python holds it.
#pragma once

#include <utility>

#include "client/python/src/fork_guard.h"
#include "incipit/client.h"

namespace incipit::python {

// Owns the lease and the claim. Needs the GIL, as Python objects do; never blocks.
class Match {
 public:
  explicit Match(MatchResult result) : result_(std::move(result)) {}
  Match(Match&&) = default;
  ~Match() {
    // They belong to the process that asked for them; their connection must not be touched from a forked child.
    if (!fork_guard_.InChild()) return;
    new Lease(std::move(result_.lease));
    new Claim(std::move(result_.claim));
  }

  const MatchResult& result() const { return result_; }
  bool leased() const { return result_.lease.held(); }
  void Release() {
    if (!fork_guard_.InChild()) result_.lease.Release();
  }
  void Renew() {
    if (!fork_guard_.InChild()) result_.claim.Renew();
  }
  void ReleaseClaim() {
    if (!fork_guard_.InChild()) result_.claim.Release();
  }

 private:
  MatchResult result_;
  ForkGuard fork_guard_;
};

}  // namespace incipit::python
