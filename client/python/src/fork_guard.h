// Tells a forked child from the process that made an object.
#pragma once

#include <unistd.h>

namespace incipit::python {

// The client's thread, its ring and its connections belong to the process that made them: a child may neither use nor
// destroy them. Plain value.
class ForkGuard {
 public:
  bool InChild() const { return getpid() != owner_; }
  pid_t owner() const { return owner_; }

 private:
  pid_t owner_ = getpid();
};

}  // namespace incipit::python
