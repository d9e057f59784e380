// A master of Redis, a replica of it and sentinels that watch them: real processes on the loopback of the thread's
// network namespace (own_network.h).
#pragma once

#include <fstream>
#include <functional>
#include <memory>

#include "absl/strings/str_cat.h"
#include "tests/support/redis_process.h"

namespace incipit::testing {

// One thread.
class RedisSentinels {
 public:
  static constexpr uint16_t kMasterPort = 7001, kReplicaPort = 7002, kFirstSentinelPort = 7101;
  static constexpr char kName[] = "main";

  // Returns when all sentinels know the replica, and each other.
  explicit RedisSentinels(size_t sentinels) {
    StartServer(&master_, kMasterPort, {});
    StartServer(&replica_, kReplicaPort, {"--replicaof", "127.0.0.1 7001", "--repl-diskless-sync-delay", "0"});
    for (size_t i = 0; i < sentinels; ++i) {
      sentinels_.push_back(std::make_unique<RedisProcess>());
      StartSentinel(i, sentinels);
    }
    for (const auto& sentinel : sentinels_) {
      Await("sentinels know all", [&] {
        return ValueOf(sentinel.get(), "num-slaves") == "1" &&
               ValueOf(sentinel.get(), "num-other-sentinels") == std::to_string(sentinels - 1);
      });
    }
    Await("the replica is up to date", [&] { return InfoOf(&replica_, "master_link_status") == "up"; });
  }

  RedisAddress Address(const std::string& cluster = "test") const {
    RedisAddress address;
    address.sentinels = Places();
    address.master = kName;
    address.cluster = cluster;
    return address;
  }
  std::vector<RedisPlace> Places() const {
    std::vector<RedisPlace> places;
    for (size_t i = 0; i < sentinels_.size(); ++i) {
      places.push_back({"127.0.0.1", static_cast<uint16_t>(kFirstSentinelPort + i)});
    }
    return places;
  }
  // The server that began as the master, as the replica.
  RedisProcess* master() { return &master_; }
  RedisProcess* replica() { return &replica_; }
  RedisProcess* sentinel(size_t i) { return sentinels_[i].get(); }

  // Begins a failover, without waiting for it.
  void FailOver() {
    Await("a failover may begin", [&] {
      auto connection = RedisConnection::Connect(At(kFirstSentinelPort), "", 5000);
      return connection.ok() && connection->Call({"SENTINEL", "FAILOVER", kName}).ok();
    });
  }
  // From now on the replica hears nothing of what is written to the master.
  void CutReplica() {
    replica_.Ask({"CONFIG", "SET", "masterauth", "wrong"});
    master_.Ask({"CLIENT", "KILL", "TYPE", "replica"});
    Await("the replica is cut off", [&] { return InfoOf(&replica_, "master_link_status") == "down"; });
  }

  static void Await(const char* what, const std::function<bool()>& wanted) {
    for (int attempt = 0; attempt < 3000; ++attempt) {  // a minute and more
      if (wanted()) return;
      poll(nullptr, 0, 20);
    }
    FAIL() << what << ": not within a minute";
  }
  static RedisAddress At(uint16_t port) {
    RedisAddress address;
    address.host = "127.0.0.1";
    address.port = port;
    address.cluster = "test";
    return address;
  }

 private:
  static void StartServer(RedisProcess* process, uint16_t port, const std::vector<std::string>& more) {
    std::vector<std::string> arguments = {
        "--port", std::to_string(port), "--bind", "127.0.0.1",   "--dir", process->directory(), "--save",
        "",       "--appendonly",       "no",     "--daemonize", "no"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    process->Start(At(port), arguments);
  }
  void StartSentinel(size_t i, size_t count) {
    const std::string path = sentinels_[i]->directory() + "/sentinel.conf";
    const size_t quorum = count / 2 + 1;
    std::ofstream(path) << "port " << kFirstSentinelPort + i << "\nbind 127.0.0.1\ndir " << sentinels_[i]->directory()
                        << "\nsentinel monitor " << kName << " 127.0.0.1 " << kMasterPort << " " << quorum
                        << "\nsentinel down-after-milliseconds " << kName << " 10000\n";
    sentinels_[i]->Start(At(static_cast<uint16_t>(kFirstSentinelPort + i)), {path, "--sentinel"});
  }
  static std::string ValueOf(RedisProcess* sentinel, const std::string& name) {
    const RedisReply reply = sentinel->AskForAll({"SENTINEL", "MASTER", kName});
    for (size_t i = 0; i + 1 < reply.list.size(); i += 2) {
      if (reply.list[i] == name) return reply.list[i + 1];
    }
    return "";
  }
  static std::string InfoOf(RedisProcess* server, const std::string& name) {
    const std::string text = server->Ask({"INFO", "replication"});
    const size_t at = text.find(name + ":");
    if (at == std::string::npos) return "";
    const size_t begin = at + name.size() + 1;
    return text.substr(begin, text.find('\r', begin) - begin);
  }

  RedisProcess master_, replica_;
  std::vector<std::unique_ptr<RedisProcess>> sentinels_;
};

}  // namespace incipit::testing
