// Ends an operation of a loop when a deadline passes.
#pragma once

#include "cache/runtime/uring_loop.h"

namespace incipit {

// Lives as long as the operation may run: construct it before submitting, destroy it after the result. One thread.
class CancelAt : public Timer {
 public:
  // `op` names the operation while it is in flight, as UringLoop::Submit does.
  CancelAt(UringLoop* loop, UringOp** op, int64_t deadline_ns) : loop_(loop), op_(op) {
    if (deadline_ns != kForeverNs) loop_->StartTimer(this, deadline_ns);
  }
  ~CancelAt() { loop_->CancelTimer(this); }
  CancelAt(const CancelAt&) = delete;
  CancelAt& operator=(const CancelAt&) = delete;
  void OnTimer() override { loop_->Cancel(*op_); }

 private:
  UringLoop* loop_;
  UringOp** op_;
};

}  // namespace incipit
