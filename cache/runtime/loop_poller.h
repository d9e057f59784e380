// A source of work beside the ring: a library with queues of its own that wants to be asked, UCX for instance.
#pragma once

namespace incipit {

// One thread: the loop's. UringLoop asks it once a round, keeps asking while it polls, and sleeps only once it agrees.
class LoopPoller {
 public:
  // Does what there is to do. False: there was nothing.
  virtual bool Poll() = 0;
  // True: from now on descriptor() becomes readable when there is work, so that the loop may sleep. False: there is
  // work already.
  virtual bool PrepareToSleep() = 0;
  // kNoDescriptor: all its work begins on the loop's thread, so it never has to wake one.
  virtual int descriptor() const = 0;
  static constexpr int kNoDescriptor = -1;

 protected:
  ~LoopPoller() = default;
};

}  // namespace incipit
