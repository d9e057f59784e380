// A node in the hands of somebody else, clients that seal what they store there, and him who reads and replaces it.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "cache/seams/mem_disk.h"
#include "client/src/codec/sealed_codec.h"
#include "client/src/core/client_core.h"
#include "tests/support/blocks.h"
#include "tests/support/sim_node.h"
#include "tests/support/wire_client.h"
#include "tests/support/wiretap.h"
#include "transport/wire/codec_feature.h"

namespace incipit {

using Bytes = std::vector<uint8_t>;

inline std::shared_ptr<const SealingKey> SealingKeyOf(uint8_t seed) {
  Bytes bytes(32, 0x11);
  bytes[0] = seed;
  return *SealingKey::FromBytes(bytes);
}

// A node, clients of it, and somebody who speaks the protocol as he likes.
class SealedBlocks : public ::testing::Test {
 protected:
  ~SealedBlocks() override {
    for (auto& client : clients_) loop_.Run(client->Stop());
    node_.Stop();
  }
  void StartNode(uint64_t ram_bytes = 4 << 20, Disk* disk = nullptr) {
    ShardOptions options;
    options.store.ram_bytes = ram_bytes;
    options.nvme.region_bytes = 512 << 10;
    options.nvme.write_buffer_bytes = 128 << 10;
    options.nvme.read_slot_bytes = 64 << 10;
    options.nvme.read_slots = 8;
    ASSERT_TRUE(node_.Start(options, {disk}).ok());
  }
  ClientCore* Connect(std::shared_ptr<const SealingKey> key, const Layout& layout,
                      const std::string& tenant = "default") {
    ClientOptions options;
    options.address = node_.address();
    options.model = "model";
    options.tenant = tenant;
    options.layout = layout;
    options.sealing_key = std::move(key);
    options.codec = codec_;
    options.default_deadline_ms = 60'000;
    EXPECT_TRUE(ClientCore::CheckOptions(options).ok());
    connectors_.push_back(network_.MakeConnector());
    if (tapped_)
      connectors_.back() = std::make_unique<testing::TappedConnector>(std::move(connectors_.back()), &heard_);
    clients_.push_back(std::make_unique<ClientCore>(&loop_, connectors_.back().get(), random_.get(), options));
    clients_.back()->Start();
    return clients_.back().get();
  }

  // `cut` > 0: in pieces of about so many bytes.
  std::vector<iovec> PiecesOf(Bytes* bytes, uint64_t cut) {
    std::vector<iovec> pieces;
    for (size_t at = 0; at < bytes->size();) {
      const size_t step = std::min<size_t>(cut == 0 ? bytes->size() : 1 + random_->Below(2 * cut), bytes->size() - at);
      pieces.push_back({bytes->data() + at, step});
      at += step;
    }
    return pieces;
  }
  BlockStatus Store(ClientCore* client, const Bytes& key, Bytes payload, uint64_t cut = 0, bool offer_first = true) {
    const std::vector<iovec> pieces = PiecesOf(&payload, cut);
    StoreRequest request{.items = {{.key = key, .pieces = pieces}}, .offer_first = offer_first};
    const auto result = loop_.Run(client->Store(std::move(request)));
    EXPECT_TRUE(result.ok()) << result.status();
    return result.ok() ? result->status[0] : BlockStatus::kIoError;
  }
  // What was loaded, or what the memory held after a miss.
  BlockStatus Load(ClientCore* client, const Bytes& key, Bytes* into, uint16_t first = 0,
                   uint16_t count = wire::kAllSegments, uint64_t cut = 0) {
    const std::vector<iovec> pieces = PiecesOf(into, cut);
    LoadRequest request{.items = {{.key = key, .pieces = pieces}}, .first_segment = first, .segment_count = count};
    const auto result = loop_.Run(client->Load(std::move(request)));
    EXPECT_TRUE(result.ok()) << result.status();
    return result.ok() ? result->status[0] : BlockStatus::kIoError;
  }
  // Loads a whole block of `layout`; its bytes if it is a hit, nothing else.
  Bytes Hit(ClientCore* client, const Layout& layout, const Bytes& key) {
    Bytes bytes(layout.groups[0].BlockBytes(), 0xcc);
    return Load(client, key, &bytes) == BlockStatus::kOk ? bytes : Bytes();
  }

  SimLoop loop_;
  std::unique_ptr<Random> random_ = MakeSeededRandom(11);
  MemNetwork network_{&loop_, random_.get()};
  std::unique_ptr<Disk> disk_;
  testing::SimNode node_{&loop_, &network_, random_.get()};
  bool tapped_ = false;
  std::string codec_;  // of clients that connect
  Bytes heard_;
  std::vector<std::unique_ptr<Connector>> connectors_;
  std::vector<std::unique_ptr<ClientCore>> clients_;
};

// He has the run of the node: reads and replaces what is stored, with checksums that are right.
class Intruder {
 public:
  Intruder(SimLoop* loop, MemNetwork* network, const std::string& address, const std::string& tenant,
           const Layout& layout, uint64_t features = wire::kFeatureSealedCodecs)
      : wire_(loop, network, address) {
    wire::Hello hello;
    hello.tenant = tenant;
    hello.features = features;
    EXPECT_TRUE(wire_.Call(wire::FrameType::kHello, hello).ok());
    name_space_ = *wire_.Open(layout);
  }
  struct Stolen {
    Codec codec;
    std::vector<Segment> segments;
    Bytes bytes;
  };
  Stolen Read(const Bytes& key, BlockStatus expected = BlockStatus::kOk) {
    wire::Load load{.namespace_id = name_space_, .segment_count = wire::kAllSegments, .keys = {{.key = key}}};
    const auto answer = wire_.Call(wire::FrameType::kLoad, load);
    const auto reply = wire::LoadReply::Decode(answer->meta);
    EXPECT_EQ(reply->blocks[0].status, expected);
    return {reply->blocks[0].codec, reply->blocks[0].segments, answer->payload};
  }
  BlockStatus Replace(const Bytes& key, Stolen with) {
    wire::Remove remove{.namespace_id = name_space_, .keys = {{.key = key}}};
    EXPECT_TRUE(wire_.Call(wire::FrameType::kRemove, remove).ok());
    uint64_t at = 0;
    for (Segment& segment : with.segments) {
      segment.checksum = Xxh3Of(ByteView(with.bytes).subspan(at, segment.stored_bytes));
      at += segment.stored_bytes;
    }
    wire::Store store{.namespace_id = name_space_, .blocks = {{{.key = key}, with.codec, with.segments}}};
    Bytes payload;
    testing::AppendStored(with.bytes, with.segments, &payload);
    const auto answer = wire_.Call(wire::FrameType::kStore, store, payload);
    const auto reply = wire::StatusReply::Decode(answer->meta);
    return reply.ok() ? reply->statuses[0] : BlockStatus::kRejected;
  }

 private:
  testing::WireClient wire_;
  uint32_t name_space_ = 0;
};

}  // namespace incipit
