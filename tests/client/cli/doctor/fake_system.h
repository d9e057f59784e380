// A directory of our own in the place of / for SystemFiles. Removed at the end of the test.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include <gtest/gtest.h>

namespace incipit {

class FakeSystem {
 public:
  FakeSystem() {
    std::string path = (std::filesystem::temp_directory_path() / "incipit-system-XXXXXX").string();
    if (mkdtemp(path.data()) == nullptr) std::abort();
    root_ = path;
  }
  ~FakeSystem() { std::filesystem::remove_all(root_); }
  FakeSystem(const FakeSystem&) = delete;
  FakeSystem& operator=(const FakeSystem&) = delete;

  // `path` as in "/proc/meminfo".
  void Put(const std::string& path, const std::string& content) {
    const std::filesystem::path target = root_ + path;
    std::filesystem::create_directories(target.parent_path());
    std::ofstream(target) << content;
    ASSERT_TRUE(std::filesystem::exists(target));
  }
  const std::string& root() const { return root_; }

 private:
  std::string root_;
};

}  // namespace incipit
