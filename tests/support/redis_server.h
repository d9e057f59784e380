// A real redis-server for one test: its own process, directory and Unix socket, no TCP port, nothing written to disk.
// A test that cannot start one fails.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <string>

#include "cluster/redis/redis_connection.h"

namespace incipit::testing {

// One thread. The process ends with this object, or with the thread that made it.
class RedisServer {
 public:
  RedisServer() {
    std::string pattern = "/tmp/incipit-redis-XXXXXX";  // short: a socket's path has at most 107 bytes
    const char* made = mkdtemp(pattern.data());
    EXPECT_NE(made, nullptr) << "no directory for redis-server";
    directory_ = pattern;
    Start();
  }
  ~RedisServer() {
    Kill();
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
  }
  RedisServer(const RedisServer&) = delete;
  RedisServer& operator=(const RedisServer&) = delete;

  RedisAddress Address(const std::string& cluster = "test") const {
    RedisAddress address;
    address.socket_path = directory_ + "/redis.sock";
    address.cluster = cluster;
    return address;
  }

  // Returns when it answers. After Kill() it starts empty.
  void Start() {
    const std::string socket = directory_ + "/redis.sock";
    pid_ = fork();
    ASSERT_GE(pid_, 0) << "fork failed";
    if (pid_ == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      const int null = open("/dev/null", O_RDWR);
      dup2(null, STDOUT_FILENO);
      dup2(null, STDERR_FILENO);
      execlp("redis-server", "redis-server", "--port", "0", "--unixsocket", socket.c_str(), "--dir", directory_.c_str(),
             "--save", "", "--appendonly", "no", "--daemonize", "no", static_cast<char*>(nullptr));
      _exit(127);
    }
    for (int attempt = 0; attempt < 3000; ++attempt) {  // a minute at most
      auto connection = RedisConnection::Connect(Address(), "", 1000);
      if (connection.ok() && connection->Call({"PING"}).ok()) return;
      int status = 0;
      if (waitpid(pid_, &status, WNOHANG) == pid_) {
        pid_ = -1;
        FAIL() << "redis-server ended with " << status << "; is it installed (deploy/install_packages.sh)?";
      }
      poll(nullptr, 0, 20);  // it tells nobody when it is ready
    }
    FAIL() << "redis-server does not answer";
  }
  void Kill() {
    if (pid_ <= 0) return;
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }
  void Pause() { kill(pid_, SIGSTOP); }
  void Resume() { kill(pid_, SIGCONT); }

  // A command whose answer is text.
  std::string Ask(const std::vector<std::string>& command) {
    auto connection = RedisConnection::Connect(Address(), "", 5000);
    EXPECT_TRUE(connection.ok()) << connection.status();
    if (!connection.ok()) return "";
    auto reply = connection->Call(command);
    EXPECT_TRUE(reply.ok()) << reply.status();
    return reply.ok() ? reply->text : "";
  }

 private:
  std::string directory_;
  pid_t pid_ = -1;
};

}  // namespace incipit::testing
