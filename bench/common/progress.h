// How the work in bench/ tells whoever watches how far it has come; drawing is the caller's business.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace incipit::bench {

// Called with what is going on, how much is done and how much there is, from the thread that runs the benchmark,
// at least every 100 ms or so. May be empty.
using ProgressSink = std::function<void(const std::string& activity, uint64_t done, uint64_t total)>;

inline void Show(const ProgressSink& progress, const std::string& activity, uint64_t done, uint64_t total) {
  if (progress) progress(activity, done, total);
}

}  // namespace incipit::bench
