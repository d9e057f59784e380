#include "bench/replay/trace_line.h"

#include <fmt/format.h>

#include <cstring>
#include <nlohmann/json.hpp>
#include <optional>

#include "cache/base/status_macros.h"
#include "cache/base/xxh3.h"

namespace incipit::bench {
namespace {

constexpr double kMostNumber = 1e18;  // of times and lengths
constexpr size_t kShownBytes = 60;    // of a line, in an error message

uint64_t HashOfDigits(std::string_view digits) {
  return Xxh3Of({reinterpret_cast<const uint8_t*>(digits.data()), digits.size()});
}

// Reads the form that all known traces have: no escapes, no fractions, nothing nested but the ids.
class UsualForm {
 public:
  explicit UsualForm(std::string_view line) : at_(line.data()), end_(line.data() + line.size()) {}

  bool Parse(TraceRequest* request) {
    bool input_seen = false, ids_seen = false;
    if (!Take('{')) return false;
    do {
      std::string_view name;
      if (!TakeName(&name) || !Take(':')) return false;
      bool good = false;
      if (name == "hash_ids") {
        good = ids_seen = TakeIds(&request->ids);
      } else if (name == "input_length") {
        good = input_seen = TakeUnsigned(&request->input_tokens);
      } else if (name == "timestamp") {
        good = TakeUnsigned(&request->timestamp_ms);
      } else if (name == "output_length") {
        good = TakeUnsigned(&request->output_tokens);
      }
      if (!good) return false;
    } while (Take(','));
    if (!Take('}')) return false;
    SkipBlank();
    return at_ == end_ && input_seen && ids_seen;
  }

 private:
  void SkipBlank() {
    while (at_ != end_ && (*at_ == ' ' || *at_ == '\t' || *at_ == '\r')) ++at_;
  }
  bool Take(char wanted) {
    SkipBlank();
    if (at_ == end_ || *at_ != wanted) return false;
    ++at_;
    return true;
  }
  bool TakeName(std::string_view* name) {
    if (!Take('"')) return false;
    const char* begin = at_;
    while (at_ != end_ && *at_ != '"' && *at_ != '\\') ++at_;
    if (at_ == end_ || *at_ != '"') return false;
    *name = {begin, static_cast<size_t>(at_++ - begin)};
    return true;
  }
  // Up to 19 digits, which 64 bits always hold.
  bool TakeUnsigned(uint64_t* value) {
    SkipBlank();
    const char* begin = at_;
    uint64_t number = 0;
    while (at_ != end_ && *at_ >= '0' && *at_ <= '9') number = number * 10 + static_cast<uint64_t>(*at_++ - '0');
    const size_t digits = static_cast<size_t>(at_ - begin);
    *value = number;
    return digits > 0 && digits <= 19 && (digits == 1 || *begin != '0') && EndsNumber();
  }
  bool EndsNumber() const { return at_ == end_ || std::strchr(",]} \t\r", *at_) != nullptr; }
  bool TakeIds(std::vector<uint64_t>* ids) {
    ids->clear();
    if (!Take('[')) return false;
    if (Take(']')) return true;
    do {
      uint64_t id = 0;
      if (!TakeUnsigned(&id)) return false;
      ids->push_back(id);
    } while (Take(','));
    return Take(']');
  }

  const char* at_;
  const char* end_;
};

// Takes what it needs from the events of a JSON parser; all callbacks return false to stop with `error`.
class AnyForm final : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit AnyForm(TraceRequest* request) : request_(request) {}

  std::string error;
  bool input_seen = false, ids_seen = false;

  bool null() override { return Other("null"); }
  bool boolean(bool) override { return Other("a truth value"); }
  bool string(string_t&) override { return Other("a string"); }
  bool binary(binary_t&) override { return Other("binary data"); }
  bool number_integer(number_integer_t value) override {
    if (in_ids()) return AddId(static_cast<uint64_t>(value));
    if (depth_ == 0) return Other("a number");
    return field_ == nullptr || Fail(fmt::format("field \"{}\" is {}, expected a number of at least 0", name_, value));
  }
  bool number_unsigned(number_unsigned_t value) override {
    if (in_ids()) return AddId(value);
    if (depth_ == 0) return Other("a number");
    if (field_ != nullptr) *field_ = value;
    return true;
  }
  bool number_float(number_float_t value, const string_t& text) override {
    if (in_ids()) {
      const std::string_view digits = std::string_view(text).substr(text.starts_with('-') ? 1 : 0);
      if (digits.find_first_not_of("0123456789") == std::string_view::npos) return AddId(HashOfDigits(text));
      return Fail(fmt::format("hash_ids holds {}, expected integers", text));
    }
    if (depth_ == 0) return Other("a number");
    if (field_ == nullptr) return true;
    if (!(value >= 0 && value < kMostNumber)) {
      return Fail(fmt::format("field \"{}\" is {}, expected a number from 0 to {}", name_, text, kMostNumber));
    }
    *field_ = static_cast<uint64_t>(value);
    return true;
  }
  bool start_object(size_t) override {
    if (depth_ == 0 || !expects_value()) return Down();
    return Other("an object");
  }
  bool end_object() override { return Up(); }
  bool start_array(size_t) override {
    if (depth_ == 0) return Fail("not a JSON object");
    if (depth_ == 1 && name_ == "hash_ids") {
      ids_seen = true;
      request_->ids.clear();
      return Down();
    }
    return expects_value() ? Other("an array") : Down();
  }
  bool end_array() override { return Up(); }
  bool key(string_t& name) override {
    if (depth_ > 1) return true;
    name_ = name;
    field_ = name == "timestamp"       ? &request_->timestamp_ms
             : name == "input_length"  ? &request_->input_tokens
             : name == "output_length" ? &request_->output_tokens
                                       : nullptr;
    input_seen = input_seen || name == "input_length";
    return true;
  }
  bool parse_error(size_t, const std::string&, const nlohmann::detail::exception&) override {
    return Fail("not a JSON object");
  }

 private:
  bool in_ids() const { return depth_ == 2 && name_ == "hash_ids"; }
  bool expects_value() const { return in_ids() || (depth_ == 1 && (field_ != nullptr || name_ == "hash_ids")); }
  bool Down() { return ++depth_ < kMostDepth || Fail("nested too deeply"); }
  bool Up() {
    if (--depth_ == 1) field_ = nullptr;
    return true;
  }
  bool AddId(uint64_t id) {
    request_->ids.push_back(id);
    return true;
  }
  bool Other(const char* what) {
    if (depth_ == 0) return Fail("not a JSON object");
    if (in_ids()) return Fail(fmt::format("hash_ids holds {}, expected integers", what));
    if (depth_ == 1 && name_ == "hash_ids") return Fail(fmt::format("\"hash_ids\" is {}, expected an array", what));
    return !expects_value() || Fail(fmt::format("field \"{}\" is {}, expected a number of at least 0", name_, what));
  }
  bool Fail(std::string what) {
    error = std::move(what);
    return false;
  }

  static constexpr int kMostDepth = 64;
  TraceRequest* request_;
  std::string name_;           // of the outermost object's field
  uint64_t* field_ = nullptr;  // where its number goes
  int depth_ = 0;
};

}  // namespace

bool ParseUsualTraceLine(std::string_view line, TraceRequest* request) {
  request->timestamp_ms = request->input_tokens = request->output_tokens = 0;
  return UsualForm(line).Parse(request);
}

absl::Status ParseAnyTraceLine(std::string_view line, TraceRequest* request) {
  request->timestamp_ms = request->input_tokens = request->output_tokens = 0;
  request->ids.clear();
  AnyForm form(request);
  const bool parsed = nlohmann::json::sax_parse(line, &form);
  if (parsed && form.input_seen && form.ids_seen) return absl::OkStatus();
  std::string what = form.error;
  if (parsed) what = form.input_seen ? "no array \"hash_ids\"" : "no field \"input_length\"";
  return absl::InvalidArgumentError(fmt::format("{}: {}", what, line.substr(0, kShownBytes)));
}

absl::Status ParseTraceLineInto(std::string_view line, uint32_t block_tokens, TraceRequest* request) {
  if (!ParseUsualTraceLine(line, request)) RETURN_IF_ERROR(ParseAnyTraceLine(line, request));
  const uint64_t room = request->input_tokens / block_tokens + (request->input_tokens % block_tokens != 0 ? 1 : 0);
  if (request->ids.size() <= room) return absl::OkStatus();
  return absl::InvalidArgumentError(
      fmt::format("{} hash_ids for {} tokens, but at {} tokens a block there are only {}: is --block-tokens right?",
                  request->ids.size(), request->input_tokens, block_tokens, room));
}

absl::StatusOr<TraceRequest> ParseTraceLine(std::string_view line, uint32_t block_tokens) {
  TraceRequest request;
  RETURN_IF_ERROR(ParseTraceLineInto(line, block_tokens, &request));
  return request;
}

}  // namespace incipit::bench
