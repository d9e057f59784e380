// A terminal that a program has for itself for a while.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "client/cli/top/top_screen.h"

namespace incipit {

// One at a time in a process, on one thread. While it lives there is another screen, without cursor and echo; however
// the process ends, but by SIGKILL, the terminal is as it was before. Stopped by Ctrl-Z it gives the terminal back too.
class Terminal {
 public:
  // Whether standard output is a terminal that moves its cursor.
  static bool IsThere();
  Terminal();
  ~Terminal();
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  ScreenSize size() const;  // 80 x 24 if it does not say
  // Instead of what was there. REQUIRES: lines as TopLines makes them for size().
  void Show(const std::vector<std::string>& lines);

  enum class Event { kTime, kQuit, kResized };
  // Waits for so long, or for the key q, or until the size changes.
  Event Wait(uint32_t ms);
};

}  // namespace incipit
