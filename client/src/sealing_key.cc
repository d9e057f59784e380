#include "incipit/sealing_key.h"

#include <errno.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "client/src/codec/hkdf.h"

namespace incipit {
namespace {

constexpr size_t kHexDigits = 2 * SealingKey::kBytes;
constexpr size_t kMaxFileBytes = kHexDigits + 2;  // and a line end
constexpr size_t kIdBytes = 8;

absl::Status FileError(const std::string& path, const char* what, int error) {
  const std::string message = fmt::format("sealing key file {}: {}: {}", path, what, strerror(error));
  if (error == ENOENT) return absl::NotFoundError(message + "; `incipit key new FILE` makes one");
  if (error == EEXIST) return absl::AlreadyExistsError(message);
  return absl::PermissionDeniedError(message);
}

// Closes a file, and wipes what was read of or written to it.
struct OpenFile {
  int descriptor = -1;
  std::array<uint8_t, kMaxFileBytes + 1> content{};
  ~OpenFile() {
    if (descriptor >= 0) close(descriptor);
    OPENSSL_cleanse(content.data(), content.size());
  }
};

int DigitValue(uint8_t digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
  if (digit >= 'A' && digit <= 'F') return digit - 'A' + 10;
  return -1;
}

// In place: the digits' first half becomes the bytes. False if they are no digits.
bool DecodeHex(MutableBytes digits) {
  for (size_t i = 0; i < digits.size() / 2; ++i) {
    const int high = DigitValue(digits[2 * i]), low = DigitValue(digits[2 * i + 1]);
    if (high < 0 || low < 0) return false;
    digits[i] = static_cast<uint8_t>(high << 4 | low);
  }
  return true;
}

bool ReadWhole(int descriptor, MutableBytes into, size_t* bytes) {
  for (*bytes = 0; *bytes < into.size();) {
    const ssize_t count = read(descriptor, into.data() + *bytes, into.size() - *bytes);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return false;
    if (count == 0) return true;
    *bytes += static_cast<size_t>(count);
  }
  return true;
}

bool WriteWhole(int descriptor, ByteView bytes) {
  while (!bytes.empty()) {
    const ssize_t count = write(descriptor, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return false;
    bytes = bytes.subspan(static_cast<size_t>(count));
  }
  return fsync(descriptor) == 0;
}

}  // namespace

absl::StatusOr<std::shared_ptr<const SealingKey>> SealingKey::FromBytes(ByteView bytes) {
  if (bytes.size() != kBytes) {
    return absl::InvalidArgumentError(fmt::format("sealing key: {} bytes, expected {}", bytes.size(), kBytes));
  }
  if (std::all_of(bytes.begin(), bytes.end(), [&](uint8_t byte) { return byte == bytes[0]; })) {
    return absl::InvalidArgumentError("sealing key: all its bytes are the same; `incipit key new FILE` makes a key");
  }
  std::shared_ptr<SealingKey> key(new SealingKey);
  std::copy(bytes.begin(), bytes.end(), key->bytes_.begin());
  return key;
}

absl::StatusOr<std::shared_ptr<const SealingKey>> SealingKey::FromFile(const std::string& path) {
  OpenFile file;
  file.descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file.descriptor < 0) return FileError(path, "cannot open it", errno);
  struct stat about {};
  if (fstat(file.descriptor, &about) != 0) return FileError(path, "cannot look at it", errno);
  if (!S_ISREG(about.st_mode)) {
    return absl::InvalidArgumentError(fmt::format("sealing key file {}: not a regular file", path));
  }
  if ((about.st_mode & 077) != 0) {
    return absl::PermissionDeniedError(
        fmt::format("sealing key file {}: its mode is {:04o}, so others than its owner can use it; expected 0600 or "
                    "0400: chmod 600 {}",
                    path, about.st_mode & 07777, path));
  }
  size_t bytes = 0;
  if (!ReadWhole(file.descriptor, file.content, &bytes)) return FileError(path, "cannot read it", errno);
  size_t digits = bytes;
  if (digits > kHexDigits && file.content[digits - 1] == '\n') --digits;
  if (digits > kHexDigits && file.content[digits - 1] == '\r') --digits;
  if (digits == kHexDigits && DecodeHex(MutableBytes(file.content).first(digits))) bytes = kBytes;
  if (bytes != kBytes) {
    return absl::InvalidArgumentError(
        fmt::format("sealing key file {}: {} bytes, expected {} bytes or {} hexadecimal "
                    "digits",
                    path, about.st_size, kBytes, kHexDigits));
  }
  absl::StatusOr<std::shared_ptr<const SealingKey>> key = FromBytes(ByteView(file.content).first(kBytes));
  if (key.ok()) return key;
  return absl::Status(key.status().code(), absl::StrCat("file ", path, ": ", key.status().message()));
}

absl::Status SealingKey::WriteNewFile(const std::string& path) {
  OpenFile file;
  const MutableBytes random = MutableBytes(file.content).first(kBytes);
  if (RAND_priv_bytes(random.data(), static_cast<int>(random.size())) != 1) {
    return absl::InternalError("sealing key: the system gives no random bytes");
  }
  for (size_t i = kBytes; i-- > 0;) {  // From the back, since each byte becomes two digits.
    const uint8_t byte = file.content[i];
    file.content[2 * i] = static_cast<uint8_t>("0123456789abcdef"[byte >> 4]);
    file.content[2 * i + 1] = static_cast<uint8_t>("0123456789abcdef"[byte & 15]);
  }
  file.content[kHexDigits] = '\n';
  file.descriptor = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (file.descriptor < 0) return FileError(path, "cannot make it", errno);
  if (!WriteWhole(file.descriptor, ByteView(file.content).first(kHexDigits + 1))) {
    const absl::Status failed = FileError(path, "cannot write it", errno);
    unlink(path.c_str());
    return failed;
  }
  return absl::OkStatus();
}

SealingKey::~SealingKey() { OPENSSL_cleanse(bytes_.data(), bytes_.size()); }

std::string SealingKey::Id() const {
  std::array<uint8_t, kIdBytes> id;
  HkdfSha256(bytes_, "incipit.sealed.v1 id", {}, id);
  std::string digits;
  for (const uint8_t byte : id) digits += fmt::format("{:02x}", byte);
  return digits;
}

}  // namespace incipit
