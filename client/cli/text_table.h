// Columns of text that line up.
#pragma once

#include <string>
#include <vector>

namespace incipit {

// One thread. The first column is aligned to the left, the others to the right.
class TextTable {
 public:
  explicit TextTable(std::vector<std::string> header) : rows_{std::move(header)} {}
  // REQUIRES: as many cells as the header has.
  void AddRow(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  // Lines that end in a newline, without spaces before it.
  std::string Render() const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace incipit
