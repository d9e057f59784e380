#include "client/cli/byte_size.h"

#include <array>
#include <cctype>
#include <cmath>
#include <limits>

#include "client/cli/doctor/units.h"
#include "fmt/format.h"

namespace incipit {
namespace {

struct Unit {
  const char* name;
  uint64_t bytes;
};
constexpr uint64_t kKibi = 1024;
constexpr uint64_t kKilo = 1000;
constexpr Unit kUnits[] = {
    {"", 1},
    {"b", 1},
    {"k", kKibi},
    {"kib", kKibi},
    {"kb", kKilo},
    {"m", kKibi* kKibi},
    {"mib", kKibi* kKibi},
    {"mb", kKilo* kKilo},
    {"g", kKibi* kKibi* kKibi},
    {"gib", kKibi* kKibi* kKibi},
    {"gb", kKilo* kKilo* kKilo},
    {"t", kKibi* kKibi* kKibi* kKibi},
    {"tib", kKibi* kKibi* kKibi* kKibi},
    {"tb", kKilo* kKilo* kKilo* kKilo},
    {"p", kKibi* kKibi* kKibi* kKibi* kKibi},
    {"pib", kKibi* kKibi* kKibi* kKibi* kKibi},
    {"pb", kKilo* kKilo* kKilo* kKilo* kKilo},
};
constexpr size_t kMaxFractionDigits = 9;  // keeps fraction * unit within 128 bits

absl::Status Wrong(std::string_view text, const char* what) {
  return absl::InvalidArgumentError(
      fmt::format("'{}' {}; write a number and a unit, e.g. 4096, 512MiB, 1.5TiB or 4GB", text, what));
}

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// Takes the digits at the front of *rest.
std::string_view TakeDigits(std::string_view* rest) {
  size_t count = 0;
  while (count < rest->size() && IsDigit((*rest)[count])) ++count;
  const std::string_view digits = rest->substr(0, count);
  rest->remove_prefix(count);
  return digits;
}

std::string LowerWithoutSpaces(std::string_view text) {
  std::string lower;
  for (const char c : text) {
    if (c != ' ') lower.push_back(static_cast<char>(std::tolower(static_cast<unsigned char>(c))));
  }
  return lower;
}

}  // namespace

absl::StatusOr<uint64_t> ParseByteSize(std::string_view text) {
  constexpr unsigned __int128 kLimit = std::numeric_limits<uint64_t>::max();
  std::string_view rest = text;
  while (!rest.empty() && rest.front() == ' ') rest.remove_prefix(1);
  const std::string_view whole = TakeDigits(&rest);
  std::string_view fraction;
  if (!rest.empty() && rest.front() == '.') {
    rest.remove_prefix(1);
    fraction = TakeDigits(&rest);
  }
  if (whole.empty()) return Wrong(text, "is not a size");
  if (fraction.size() > kMaxFractionDigits) return Wrong(text, "has too many digits behind the point");
  const std::string name = LowerWithoutSpaces(rest);
  for (const Unit& unit : kUnits) {
    if (name != unit.name) continue;
    unsigned __int128 bytes = 0;
    for (const char digit : whole) {
      bytes = bytes * 10 + static_cast<unsigned>(digit - '0');
      if (bytes > kLimit) return Wrong(text, "is over 64 bits");
    }
    bytes *= unit.bytes;
    unsigned __int128 numerator = 0, denominator = 1;
    for (const char digit : fraction) {
      numerator = numerator * 10 + static_cast<unsigned>(digit - '0');
      denominator *= 10;
    }
    bytes += numerator * unit.bytes / denominator;
    if (bytes > kLimit) return Wrong(text, "is over 64 bits");
    return static_cast<uint64_t>(bytes);
  }
  return Wrong(text, "has an unknown unit");
}

CLI::Option* AddByteSizeOption(CLI::App* command, const std::string& names, uint64_t* bytes,
                               const std::string& description) {
  const auto assign = [bytes](const std::string& text) {
    const absl::StatusOr<uint64_t> parsed = ParseByteSize(text);
    if (parsed.ok()) *bytes = *parsed;
  };
  const auto check = [](std::string& text) {
    const absl::StatusOr<uint64_t> parsed = ParseByteSize(text);
    return parsed.ok() ? std::string() : std::string(parsed.status().message());
  };
  CLI::Option* option = command->add_option_function<std::string>(names, assign, description);
  option->check(CLI::Validator(check, "", "size"))->type_name("SIZE");
  if (*bytes != 0) option->default_str(FormatBytes(*bytes));
  return option;
}

}  // namespace incipit
