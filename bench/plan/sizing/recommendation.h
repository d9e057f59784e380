// Which of the rows of a plan to build, and how to start its nodes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "bench/plan/sizing/row_sizing.h"

namespace incipit::bench {

// Shares of RAM that are tried for the recommended row, in per cent.
inline constexpr double kRamPercentsTried[] = {2, 5, 10, 20, 50, 100};

// Plain data.
struct Recommendation {
  std::string policy;
  double size_percent = 0;
  std::vector<RowSizing> splits;   // one for each of kRamPercentsTried that differs from those before it
  size_t split = 0;                // the recommended one
  std::string serve_command;       // for each node
  std::vector<std::string> notes;  // what speaks against it, a sentence each

  const RowSizing& sizing() const { return splits[split]; }
};

// One that could be built.
struct Choice {
  std::string policy;
  const RowSizing* sizing = nullptr;
};

// The index of the choice that earns most: GPU hours saved less what the tier costs. Those that keep the SLO and the
// drives' endurance go before those that do not. Of equals the first. None if there is no choice, or none has rates.
std::optional<size_t> BestOf(const std::vector<Choice>& choices);

// What speaks against it.
std::vector<std::string> NotesOn(const Choice& choice);

// "incipit serve --ram ... --nvme ... --nvme-bytes ... --eviction ...": a node's share, in whole GiB, rounded up.
std::string ServeCommand(const Choice& choice);

}  // namespace incipit::bench
