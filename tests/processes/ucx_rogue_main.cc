// A rogue that speaks UCX's own frames to a live node over plain sockets: PUT and GET at addresses of the node's
// memory, guessed requests, lies about lengths, cut and damaged frames, with a greeting and without. campaign_ucx_rogue
// BINARY; INCIPIT_CAMPAIGN_COUNT attempts, INCIPIT_SEED. The node must live, and a client's blocks stay as they are,
// all the while.
#include <signal.h>

#include <algorithm>
#include <cstdio>
#include <fstream>

#include "fmt/format.h"
#include "tests/processes/node_process.h"
#include "tests/processes/ucx_rogue_frames.h"
#include "tests/support/campaign.h"

namespace incipit::campaign {
namespace {

constexpr uint64_t kBlocks = 64, kCheckEvery = 2000;
constexpr int kPatienceMs = 20;  // for an end that need not come: of what is cut short, more could follow
const std::string kMarker = "THE VICTIM'S OWN";

Layout RogueLayout() { return testing::SmallLayout(4, 4096); }  // blocks of 256 KiB

// What the node's process may write to; its arena among it.
std::vector<std::pair<uint64_t, uint64_t>> WritableMemory(pid_t pid) {
  std::vector<std::pair<uint64_t, uint64_t>> ranges;
  std::ifstream maps(fmt::format("/proc/{}/maps", pid));
  for (std::string line; std::getline(maps, line);) {
    uint64_t begin = 0, end = 0;
    char rights[5] = {};
    if (sscanf(line.c_str(), "%lx-%lx %4s", &begin, &end, rights) == 3 && rights[1] == 'w')
      ranges.emplace_back(begin, end);
  }
  return ranges;
}

class UcxRogues {
 public:
  UcxRogues(std::string binary, uint64_t seed) : binary_(std::move(binary)), random_(MakeSeededRandom(seed)) {}

  absl::Status Start() {
    auto node = NodeProcess::Start(
        binary_, {"--shards", "1", "--ram", "64MiB", "--listen-ucx", "127.0.0.1:0", "--log-level", "error"}, log_);
    if (!node.ok()) return node.status();
    node_ = *std::move(node);
    const std::string address = node_->ucx_address();
    port_ = static_cast<uint16_t>(std::stoul(address.substr(address.find(':', 6) + 1)));
    ClientOptions options;
    options.address = address;
    options.model = "victim";
    options.layout = RogueLayout();
    options.progress = Progress::kThread;
    options.default_deadline_ms = 20'000;
    auto client = Client::Connect(std::move(options));
    if (!client.ok()) return client.status();
    client_ = *std::move(client);
    StoreRequest store;
    for (uint64_t i = 0; i < kBlocks; ++i) {
      keys_.push_back(testing::KeyOf(i));
      payloads_.emplace_back(RogueLayout().groups[0].BlockBytes());
      for (size_t at = 0; at < payloads_[i].size(); ++at) payloads_[i][at] = uint8_t(kMarker[at % kMarker.size()]);
      std::memcpy(payloads_[i].data(), &i, sizeof(i));
      store.items.push_back({.key = keys_[i], .buffer = {payloads_[i].data(), payloads_[i].size()}});
    }
    auto stored = client_->Store(std::move(store));
    if (!stored.ok()) return stored.status();
    greeting_ = testing::RecordGreeting();
    frames_ = std::make_unique<UcxRogueFrames>(random_.get(), WritableMemory(node_->pid()));
    testing::RawUcxPeer peer;
    if (!peer.Greet(port_, greeting_)) return absl::UnavailableError("the node does not take a right greeting");
    data_port_ = peer.data_port();
    return absl::OkStatus();
  }

  // False: stop here.
  bool Run(uint64_t count) {
    for (uint64_t i = 1; i <= count; ++i) {
      const uint64_t kind = frames_->Pick(10);
      if (kind < 3) {
        TryManager();
      } else if (kind < 5) {
        Say(testing::RawSocket::Connect(data_port_), frames_->Stranger());
      } else if (kind < 6) {
        TryReceive();
      } else {
        TryPeer();
      }
      if ((i % kCheckEvery == 0 || i == count) && !CheckVictim(i)) return false;
      attempts_ = i;
    }
    return true;
  }

  bool Finish(uint64_t seed) {
    client_.reset();
    const int status = node_->Stop();
    if (status != 0) return Violation(fmt::format("the node ended with {}", status));
    fmt::print(
        "ucx frames: {} attempts, {} peers, {} connections ended by the node, {} bytes received: "
        "{} foreign, 0 changed blocks, 0 crashes, seed {}\n",
        attempts_, peers_, ended_, received_, foreign_, seed);
    return foreign_ == 0;
  }

 private:
  bool Violation(const std::string& what) {
    fmt::print("VIOLATION after {} attempts: {}\n{}\n", attempts_, what, TailOf(log_));
    return false;
  }

  void Look(const Bytes& got) {
    received_ += got.size();
    if (std::search(got.begin(), got.end(), kMarker.begin(), kMarker.end()) != got.end()) ++foreign_;
  }
  void Say(testing::RawSocket socket, const Bytes& bytes) {
    if (!socket.ok() || !socket.Send(bytes)) return;
    Bytes got;
    // Half of them wait, so that what they said has been read when they go.
    if (frames_->Pick(2) == 0) ended_ += socket.Ends(frames_->Pick(2) == 0 ? kPatienceMs : 1, &got);
    Look(got);
  }

  void TryManager() {
    Bytes body = greeting_;
    if (frames_->Pick(2) == 0) frames_->Damage(&body);
    Bytes bytes = testing::UcxGreeting(body, static_cast<int8_t>(frames_->Pick(4) == 0 ? random_->Next() : 0));
    switch (frames_->Pick(6)) {
      case 0: {
        const uint64_t length = frames_->Length();
        std::memcpy(bytes.data(), &length, sizeof(length));
        break;
      }
      case 1:
        bytes.resize(frames_->Pick(bytes.size() + 1));
        break;
      case 2: {  // again, or what follows the node's answer before there is one
        const Bytes more = frames_->Pick(2) == 0 ? bytes : testing::UcxGreeting({});
        bytes.insert(bytes.end(), more.begin(), more.end());
        break;
      }
      case 3:
        frames_->Damage(&bytes);
        break;
      default:
        break;
    }
    Say(testing::RawSocket::Connect(port_), bytes);
  }

  bool ConnectPeer() {
    if (peer_ != nullptr) return true;
    peer_ = std::make_unique<testing::RawUcxPeer>();
    if (!peer_->Connect(port_, greeting_)) peer_.reset();
    if (peer_ == nullptr) return false;
    ++peers_;
    UcxMessage open{.kind = UcxMessageKind::kOpen};
    random_->Fill(open.token);
    token_ = open.token;
    return frames_->Pick(4) == 0 || peer_->data().Send(peer_->Message(open, {}));
  }

  // One frame of a peer that has greeted, connected and mostly opened a stream; ended by the node, it begins anew.
  void TryPeer() {
    if (!ConnectPeer()) return;
    Bytes got;
    const bool sent = peer_->data().Send(frames_->Next(*peer_));
    if (!sent || frames_->Pick(16) == 0 || peer_->data().Ends(1, &got)) {
      ++ended_;
      peer_.reset();
    }
    Look(got);
  }

  // Announces bytes as an honest peer would, and sends others than the node has made room for.
  void TryReceive() {
    peer_.reset();
    if (!ConnectPeer()) return;
    UcxMessage message{.kind = UcxMessageKind::kBytes, .token = token_};
    const auto header = message.Encode();
    Bytes start = testing::UcxStartFrame(77, 65536);
    const uint64_t endpoint = peer_->endpoint_id();
    std::memcpy(&start[13], &endpoint, sizeof(endpoint));
    std::copy(header.begin(), header.end(), start.end() - static_cast<ptrdiff_t>(header.size()));
    if (!peer_->data().Send(start)) return peer_.reset();
    // Up to the node's word that it is ready, after its answer to the opening.
    Bytes got;
    uint64_t request = 0;
    while (request == 0) {
      const Bytes head = peer_->data().Read(ucx_wire::kFrameHeaderBytes, kPatienceMs);
      uint32_t bytes = 0;
      if (head.size() < ucx_wire::kFrameHeaderBytes) return peer_.reset();
      std::memcpy(&bytes, &head[1], sizeof(bytes));
      got = peer_->data().Read(bytes, kPatienceMs);
      Look(got);
      if (head[0] == ucx_wire::kRendezvousReady && got.size() >= 16) std::memcpy(&request, &got[8], sizeof(request));
    }
    ++receives_;
    const uint64_t offset = frames_->Pick(3) == 0 ? 0 : frames_->Length();
    const size_t bytes = frames_->Pick(2) == 0 ? 65536 + frames_->Pick(100) : frames_->Pick(70'000);
    const Bytes data = testing::UcxDataFrame(request + 2 * (frames_->Pick(4) / 3), offset, bytes);
    Say(std::exchange(peer_->data(), {}), data);
    peer_.reset();
  }

  bool CheckVictim(uint64_t attempt) {
    attempts_ = attempt;
    if (!node_->Alive()) return Violation("the node has ended");
    std::vector<Bytes> got(kBlocks, Bytes(RogueLayout().groups[0].BlockBytes()));
    LoadRequest load;
    for (uint64_t i = 0; i < kBlocks; ++i) {
      load.items.push_back({.key = keys_[i], .buffer = {got[i].data(), got[i].size()}});
    }
    const auto loaded = client_->Load(std::move(load));
    if (!loaded.ok()) return Violation(fmt::format("the victim: {}", loaded.status().ToString()));
    if (loaded->hits != kBlocks) return Violation(fmt::format("{} of {} blocks are there", loaded->hits, kBlocks));
    if (got != payloads_) return Violation("WRONG BYTES");
    if (foreign_ > 0) return Violation("the rogue got the victim's bytes");
    return true;
  }

  std::string binary_;
  std::unique_ptr<Random> random_;
  ScratchDirectory scratch_;
  const std::string log_ = scratch_.path() + "/node.log";
  std::unique_ptr<NodeProcess> node_;
  std::unique_ptr<Client> client_;
  std::vector<std::vector<uint8_t>> keys_;
  std::vector<Bytes> payloads_;
  Bytes greeting_;
  std::unique_ptr<UcxRogueFrames> frames_;
  std::unique_ptr<testing::RawUcxPeer> peer_;
  UcxToken token_{};
  uint16_t port_ = 0, data_port_ = 0;
  uint64_t attempts_ = 0, peers_ = 0, receives_ = 0, ended_ = 0, received_ = 0, foreign_ = 0;
};

int Main(int argc, char** argv) {
  if (argc != 2) {
    fmt::print("usage: campaign_ucx_rogue INCIPIT\n");
    return 2;
  }
  signal(SIGPIPE, SIG_IGN);
  const uint64_t seed = testing::CampaignSeed();
  UcxRogues rogues(argv[1], seed);
  const absl::Status started = rogues.Start();
  if (!started.ok()) {
    fmt::print("cannot start: {}\n", started.ToString());
    return 1;
  }
  return rogues.Run(testing::CampaignCount(4000)) && rogues.Finish(seed) ? 0 : 1;
}

}  // namespace
}  // namespace incipit::campaign

int main(int argc, char** argv) { return incipit::campaign::Main(argc, argv); }
