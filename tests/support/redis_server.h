// A real redis-server for one test: its own process, directory and Unix socket, no TCP port, nothing written to disk.
// A test that cannot start one fails.
#pragma once

#include "tests/support/redis_process.h"

namespace incipit::testing {

// One thread. The process ends with this object, or with the thread that made it.
class RedisServer {
 public:
  RedisServer() { Start(); }

  RedisAddress Address(const std::string& cluster = "test") const {
    RedisAddress address;
    address.socket_path = process_.directory() + "/redis.sock";
    address.cluster = cluster;
    return address;
  }

  // Returns when it answers. After Kill() it starts empty.
  void Start() {
    process_.Start(Address(), {"--port", "0", "--unixsocket", Address().socket_path, "--dir", process_.directory(),
                               "--save", "", "--appendonly", "no", "--daemonize", "no"});
  }
  void Kill() { process_.Kill(); }
  void Pause() { process_.Pause(); }
  void Resume() { process_.Resume(); }
  // A command whose answer is text.
  std::string Ask(const std::vector<std::string>& command) { return process_.Ask(command); }

 private:
  RedisProcess process_;
};

}  // namespace incipit::testing
