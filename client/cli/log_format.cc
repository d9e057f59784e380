#include "client/cli/log_format.h"

#include <spdlog/details/log_msg.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <ctime>

#include "client/cli/json_output.h"
#include "fmt/format.h"

namespace incipit {
namespace {

bool IsKeyCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
}

// Length of "key=" at the front of `text`, without the sign; 0 if there is none.
size_t KeyLength(std::string_view text) {
  size_t length = 0;
  while (length < text.size() && IsKeyCharacter(text[length])) ++length;
  return length < text.size() && text[length] == '=' ? length : 0;
}

// Where the value at the front of `text` ends. A quoted one ends at the quote that a further pair or the end follows,
// because causes are quoted as they come and may hold quotes themselves.
size_t ValueEnd(std::string_view text) {
  if (text.empty() || text.front() != '"') return std::min(text.find(' '), text.size());
  for (size_t at = text.find('"', 1); at != std::string_view::npos; at = text.find('"', at + 1)) {
    const std::string_view behind = text.substr(at + 1);
    if (behind.empty() || (behind.front() == ' ' && KeyLength(behind.substr(1)) > 0)) return at + 1;
  }
  return text.size();
}

std::string WithoutQuotes(std::string_view value) {
  if (value.size() >= 2 && value.front() == '"' && value.back() == '"') value = value.substr(1, value.size() - 2);
  return std::string(value);
}

std::string TimeText(std::chrono::system_clock::time_point time) {
  const auto since_epoch = std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
  const std::time_t seconds = since_epoch / 1000;
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  char text[32];
  std::strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &utc);
  return fmt::format("{}.{:03}Z", text, since_epoch % 1000);
}

std::string LevelText(spdlog::level::level_enum level) {
  const spdlog::string_view_t name = spdlog::level::to_string_view(level);
  return level == spdlog::level::warn ? "warn" : std::string(name.data(), name.size());
}

class Formatter : public spdlog::formatter {
 public:
  explicit Formatter(LogFormat format) : format_(format) {}
  std::unique_ptr<spdlog::formatter> clone() const override { return std::make_unique<Formatter>(format_); }

  void format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& out) override {
    std::string text(message.payload.data(), message.payload.size());
    std::string line;
    if (format_ == LogFormat::kJson) {
      Json json = {{"time", TimeText(message.time)}, {"level", LevelText(message.level)}};
      for (auto& [key, value] : ParseLogMessage(text)) json[key] = std::move(value);
      line = json.dump(-1, ' ', false, Json::error_handler_t::replace);
    } else {
      std::replace(text.begin(), text.end(), '\n', ' ');  // One line per message, whatever a cause holds.
      line = fmt::format("time={} level={} {}", TimeText(message.time), LevelText(message.level), text);
    }
    line.push_back('\n');
    out.append(line.data(), line.data() + line.size());
  }

 private:
  LogFormat format_;
};

}  // namespace

std::vector<std::pair<std::string, std::string>> ParseLogMessage(std::string_view message) {
  std::vector<std::pair<std::string, std::string>> pairs;
  std::string rest;
  while (!message.empty()) {
    if (message.front() == ' ') {
      message.remove_prefix(1);
      continue;
    }
    const size_t key_length = KeyLength(message);
    if (key_length == 0) {
      const size_t end = std::min(message.find(' '), message.size());
      rest += (rest.empty() ? "" : " ") + std::string(message.substr(0, end));
      message.remove_prefix(end);
      continue;
    }
    const std::string key(message.substr(0, key_length));
    message.remove_prefix(key_length + 1);
    const size_t end = ValueEnd(message);
    pairs.emplace_back(key, WithoutQuotes(message.substr(0, end)));
    message.remove_prefix(end);
  }
  if (!rest.empty()) pairs.emplace_back("message", std::move(rest));
  return pairs;
}

std::unique_ptr<spdlog::formatter> MakeLogFormatter(LogFormat format) { return std::make_unique<Formatter>(format); }

absl::Status SetUpLogging(const std::string& level, const std::string& format) {
  static constexpr const char* kLevels[] = {"trace", "debug", "info", "warn", "error", "off"};
  if (std::find(std::begin(kLevels), std::end(kLevels), level) == std::end(kLevels)) {
    return absl::InvalidArgumentError(
        fmt::format("--log-level {}: expected trace, debug, info, warn, error or off", level));
  }
  if (format != "text" && format != "json") {
    return absl::InvalidArgumentError(fmt::format("--log-format {}: expected text or json", format));
  }
  auto logger = std::make_shared<spdlog::logger>("", std::make_shared<spdlog::sinks::stderr_sink_mt>());
  logger->set_formatter(MakeLogFormatter(format == "json" ? LogFormat::kJson : LogFormat::kText));
  logger->set_level(spdlog::level::from_str(level));
  logger->flush_on(spdlog::level::trace);
  spdlog::set_default_logger(std::move(logger));
  return absl::OkStatus();
}

}  // namespace incipit
