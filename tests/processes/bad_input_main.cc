// Bad input to a real node over TCP: each kind of it, then random damage on many connections. Only the client that
// sends it is told off; a good client gets right bytes all the while, and memory stays bounded.
// campaign_bad_input BINARY; INCIPIT_CAMPAIGN_COUNT damaged connections, INCIPIT_SEED their damage.
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <functional>
#include <thread>

#include "cache/base/check.h"
#include "cache/seams/random.h"
#include "fmt/format.h"
#include "tests/processes/bad_cases.h"
#include "tests/processes/block_set.h"
#include "tests/processes/node_process.h"
#include "tests/support/campaign.h"

namespace incipit::campaign {
namespace {

constexpr uint64_t kRamBytes = 128ull << 20;
constexpr uint64_t kAllowedBytes = kRamBytes + (256ull << 20);
constexpr uint32_t kDeadlineMs = 30'000;
constexpr int kPatienceMs = 30'000;
constexpr int kSlowReaders = 4;
constexpr int kSlowSenders = 16;

// A client that does everything right, and must not notice the others.
class GoodClient {
 public:
  GoodClient(NodeProcess* node) : node_(node) {
    auto clients = BlockClients::Connect(node->address(), kDeadlineMs);
    INCIPIT_CHECK(clients.ok(), "connect to the node");
    clients_ = *std::move(clients);
    for (uint64_t i = 0; i < 100; ++i) blocks_.push_back({static_cast<uint8_t>(i % 2), 0, KeyOfNumber(i)});
    for (const Block& block : blocks_) {
      const auto stored = clients_->Store({block});
      INCIPIT_CHECK(stored.ok() && stored->Count(BlockStatus::kOk) == 1, "store a block");
    }
    thread_ = std::thread([this] {
      while (!stop_) Round();
    });
  }
  void Join() {
    stop_ = true;
    thread_.join();
  }
  const Tally& tally() const { return tally_; }
  uint64_t peak_bytes() const { return peak_bytes_; }
  uint64_t rounds() const { return rounds_; }

 private:
  void Round() {
    clients_->LoadAll(blocks_, &tally_);
    peak_bytes_ = std::max<uint64_t>(peak_bytes_, node_->ResidentBytes());
    ++rounds_;
  }

  NodeProcess* node_;
  std::unique_ptr<BlockClients> clients_;
  std::vector<Block> blocks_;
  Tally tally_;
  std::atomic<uint64_t> peak_bytes_ = 0, rounds_ = 0;
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

class BadInput {
 public:
  BadInput(std::string address, uint64_t seed) : address_(std::move(address)), random_(MakeSeededRandom(seed)) {}

  void RunCases() {
    for (const BadCase& one : BadCases()) {
      ++cases_;
      BadPeer peer(address_);
      const Reaction greeting = one.greeted ? peer.Greet(BadLayout()) : Reaction{Reaction::kReply};
      if (!Check(greeting.kind == Reaction::kReply, one.name, "was not greeted", greeting)) continue;
      peer.Send(one.bytes);
      if (one.cut_short) peer.EndSending();
      const Reaction reaction = peer.Receive(kPatienceMs);
      std::printf("  %-36s %s\n", one.name.c_str(),
                  reaction.message.empty() ? KindName(reaction.kind) : reaction.message.c_str());
      switch (one.answer) {
        case BadCase::kError:
          Check(reaction.kind == Reaction::kError && !reaction.message.empty(), one.name, "expected an error",
                reaction);
          break;
        case BadCase::kErrorOrClosed:
          Check(reaction.kind == Reaction::kError || reaction.kind == Reaction::kClosed, one.name,
                "expected an error or the end", reaction);
          break;
        case BadCase::kRejected: {
          const auto reply = wire::StatusReply::Decode(reaction.meta);
          Check(reply.ok() && reply->statuses[0] == wire::BlockStatus::kRejected, one.name, "expected rejected",
                reaction);
        }
      }
    }
  }

  // Clients that ask for much and take nothing, and clients that begin a store and stop.
  void RunStalled(const std::function<uint64_t()>& stalled) {
    std::vector<std::unique_ptr<BadPeer>> peers;
    const std::vector<Bytes> right = RightRequests();
    for (int i = 0; i < kSlowSenders; ++i) {
      peers.push_back(std::make_unique<BadPeer>(address_));
      Check(peers.back()->Greet(BadLayout()).kind == Reaction::kReply, "slow sender", "was not greeted", {});
      peers.back()->Send(Bytes(right.back().begin(), right.back().end() - 1000));
    }
    wire::Load load;
    const Bytes key = RightKey();
    for (int i = 0; i < 1000; ++i) load.keys.push_back({0, 0, 0, key});
    const Bytes request = FrameOf(wire::FrameType::kLoad, load);
    for (int i = 0; i < kSlowReaders; ++i) {
      peers.push_back(std::make_unique<BadPeer>(address_));
      BadPeer& peer = *peers.back();
      Check(peer.Greet(BadLayout()).kind == Reaction::kReply, "slow reader", "was not greeted", {});
      peer.Send(right.back());
      Check(peer.Receive(kPatienceMs).kind == Reaction::kReply, "slow reader", "could not store", {});
      for (int j = 0; j < 60 && peer.Send(request, 100); ++j) {
      }
    }
    uint64_t cut = 0;
    for (int waits = 0; waits < kPatienceMs / 10 && cut < kSlowReaders + kSlowSenders; ++waits) {
      usleep(10'000);
      cut = stalled();
    }
    stalled_ = cut;
    Check(cut >= kSlowReaders + kSlowSenders, "clients that take nothing or stop inside a store", "were not cut off",
          {});
  }

  void RunDamaged(uint64_t count) {
    const std::vector<Bytes> right = RightRequests();
    for (uint64_t i = 0; i < count; ++i) {
      BadPeer peer(address_);
      if (!Check(peer.connected(), "damaged request", "could not connect", {})) return;
      if (random_->Below(4) != 0) peer.Greet(BadLayout());
      for (uint64_t n = 1 + random_->Below(3); n > 0; --n) {
        if (!peer.Send(Damaged(right[random_->Below(right.size())]))) break;
      }
      peer.EndSending();
      Reaction reaction;
      do {
        reaction = peer.Receive(kPatienceMs);
        errors_ += reaction.kind == Reaction::kError;
      } while (reaction.kind == Reaction::kReply || reaction.kind == Reaction::kError);
      if (!Check(reaction.kind == Reaction::kClosed, "damaged request", "was neither answered nor cut off", reaction)) {
        return;
      }
      ++damaged_;
    }
  }

  uint64_t violations() const { return violations_; }
  std::string Summary() const {
    return fmt::format("cases {}, clients that take nothing cut off {}, damaged connections {}, errors sent to them {}",
                       cases_, stalled_, damaged_, errors_);
  }

 private:
  static Bytes RightKey() { return KeyOfNumber(1); }
  static const char* KindName(Reaction::Kind kind) {
    constexpr const char* kNames[] = {"reply", "error", "connection closed", "silence"};
    return kNames[kind];
  }
  bool Check(bool ok, const std::string& what, const std::string& wrong, const Reaction& reaction) {
    if (ok) return true;
    ++violations_;
    std::printf("  violation: %s: %s; found: %s %s\n", what.c_str(), wrong.c_str(), KindName(reaction.kind),
                reaction.message.c_str());
    return false;
  }

  // Garbage, a request cut short, or one whose meta is damaged under a right checksum.
  Bytes Damaged(const Bytes& request) {
    Bytes bytes = request;
    const uint64_t way = random_->Below(4);
    if (way == 0) {
      bytes.resize(1 + random_->Below(500));
      random_->Fill(bytes);
    } else if (way == 1) {
      bytes.resize(random_->Below(bytes.size()));
    } else if (way == 2) {
      bytes[random_->Below(bytes.size())] ^= static_cast<uint8_t>(1u << random_->Below(8));
    } else {
      const auto header = wire::FrameHeader::Decode(ByteView(bytes).first(wire::kFrameHeaderBytes));
      Bytes meta(bytes.begin() + wire::kFrameHeaderBytes, bytes.begin() + wire::kFrameHeaderBytes + header->meta_bytes);
      for (uint64_t n = 1 + random_->Below(4); n > 0 && !meta.empty(); --n) {
        meta[random_->Below(meta.size())] = random_->Below(2) == 0 ? 0xff : static_cast<uint8_t>(random_->Next());
      }
      const Bytes payload(bytes.begin() + wire::kFrameHeaderBytes + header->meta_bytes, bytes.end());
      bytes = FrameOf(header->type, meta, header->payload_bytes);
      bytes.insert(bytes.end(), payload.begin(), payload.end());
    }
    return bytes;
  }

  std::string address_;
  std::unique_ptr<Random> random_;
  uint64_t cases_ = 0, stalled_ = 0, damaged_ = 0, errors_ = 0, violations_ = 0;
};

bool Run(const std::string& binary, uint64_t count, uint64_t seed) {
  ScratchDirectory scratch;
  const std::string log = scratch.path() + "/node.log";
  auto node = NodeProcess::Start(
      binary,
      {"--shards", "2", "--ram", fmt::format("{}", kRamBytes), "--client-stall-ms", "1000", "--log-level", "warn"},
      log);
  INCIPIT_CHECK(node.ok(), std::string(node.status().message()).c_str());
  GoodClient good(node->get());
  auto clients = BlockClients::Connect((*node)->address(), kDeadlineMs);
  INCIPIT_CHECK(clients.ok(), "connect to the node");
  BadInput bad((*node)->address(), seed);
  bad.RunCases();
  bad.RunStalled([&] { return (*clients)->Stat("sessions_stalled_total").value_or(0); });
  bad.RunDamaged(count);
  good.Join();
  const bool alive = (*node)->Alive();
  const int stopped = (*node)->Stop();
  const Tally& tally = good.tally();
  const bool ok = bad.violations() == 0 && alive && stopped == 0 && tally.wrong == 0 && tally.misses == 0 &&
                  tally.unanswered == 0 && good.rounds() > 0 && good.peak_bytes() < kAllowedBytes;
  std::printf(
      "bad_input: %s; good client: %lu blocks right, %lu missing, %lu unanswered, wrong bytes %lu; node %s, exit "
      "status "
      "%d, peak memory %lu MiB (RAM tier %lu MiB, allowed %lu MiB); violations %lu, seed %lu: %s\n",
      bad.Summary().c_str(), tally.hits, tally.misses, tally.unanswered, tally.wrong, alive ? "alive" : "DEAD", stopped,
      good.peak_bytes() >> 20, kRamBytes >> 20, kAllowedBytes >> 20, bad.violations(), seed, ok ? "ok" : "FAILED");
  if (!ok) std::printf("%s\n", TailOf(log).c_str());
  return ok;
}

}  // namespace
}  // namespace incipit::campaign

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: %s BINARY\n", argv[0]);
    return 2;
  }
  const uint64_t count = incipit::testing::CampaignCount(300), seed = incipit::testing::CampaignSeed();
  return incipit::campaign::Run(argv[1], count, seed) ? 0 : 1;
}
