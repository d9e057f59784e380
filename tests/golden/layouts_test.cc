// The shipped layouts against files: a changed byte means that engines of two releases no longer share blocks.
#include "client/layouts/layouts.h"

#include <gtest/gtest.h>

#include "tests/support/golden_file.h"

namespace incipit {
namespace {

TEST(LayoutsGolden, EveryShippedLayoutIsEncodedAsItsFileSays) {
  for (const std::string& name : LayoutNames()) {
    const auto layout = NamedLayout(name);
    ASSERT_TRUE(layout.ok()) << layout.status();
    const std::string file = "layouts/" + name + ".hex";
    golden::ExpectFile(file, golden::HexDump(layout->Encode()));
    const auto decoded = Layout::Decode(golden::BytesOfDump(file));
    ASSERT_TRUE(decoded.ok()) << file << ": " << decoded.status();
    EXPECT_EQ(*decoded, *layout);
  }
}

// Lines of: name, block_tokens asked for, fingerprint.
TEST(LayoutsGolden, FingerprintsAreThoseOfTheFile) {
  std::string text = "# layout block_tokens fingerprint\n";
  for (const std::string& name : LayoutNames()) {
    for (const uint32_t block_tokens : {16u, 64u, 128u, 256u}) {
      const auto layout = NamedLayout(name, block_tokens);
      if (!layout.ok()) continue;  // tests/client/layouts says which sizes suit which layout
      absl::StrAppend(&text, name, " ", block_tokens, " ", golden::Hex(layout->Fingerprint()), "\n");
    }
  }
  golden::ExpectFile("layouts/fingerprints.txt", text);
}

}  // namespace
}  // namespace incipit
