// One process of redis-server, a server or a sentinel, with what it keeps in a directory of its own.
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
#include <vector>

#include "cluster/redis/redis_connection.h"

namespace incipit::testing {

// One thread. The process ends with this object, or with the thread that made it.
class RedisProcess {
 public:
  RedisProcess() {
    std::string pattern = "/tmp/incipit-redis-XXXXXX";  // short: a socket's path has at most 107 bytes
    const char* made = mkdtemp(pattern.data());
    EXPECT_NE(made, nullptr) << "no directory for redis-server";
    directory_ = pattern;
  }
  ~RedisProcess() {
    Kill();
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
  }
  RedisProcess(const RedisProcess&) = delete;
  RedisProcess& operator=(const RedisProcess&) = delete;

  const std::string& directory() const { return directory_; }

  // Returns when it answers at `address`. A test in which it does not start fails.
  void Start(RedisAddress address, std::vector<std::string> arguments) {
    address_ = std::move(address);
    arguments.insert(arguments.begin(), "redis-server");
    std::vector<char*> texts;
    for (std::string& argument : arguments) texts.push_back(argument.data());
    texts.push_back(nullptr);
    pid_ = fork();
    ASSERT_GE(pid_, 0) << "fork failed";
    if (pid_ == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      const int null = open("/dev/null", O_RDWR);
      dup2(null, STDOUT_FILENO);
      dup2(null, STDERR_FILENO);
      execvp(texts[0], texts.data());
      _exit(127);
    }
    for (int attempt = 0; attempt < 3000; ++attempt) {  // a minute at most
      auto connection = RedisConnection::Connect(address_, "", 1000);
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

  RedisReply AskForAll(const std::vector<std::string>& command) {
    auto connection = RedisConnection::Connect(address_, "", 5000);
    EXPECT_TRUE(connection.ok()) << connection.status();
    if (!connection.ok()) return {};
    auto reply = connection->Call(command);
    EXPECT_TRUE(reply.ok()) << reply.status();
    return reply.ok() ? *std::move(reply) : RedisReply();
  }
  // A command whose answer is text.
  std::string Ask(const std::vector<std::string>& command) { return AskForAll(command).text; }

 private:
  std::string directory_;
  RedisAddress address_;
  pid_t pid_ = -1;
};

}  // namespace incipit::testing
