#include "train/report/event_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <bit>
#include <cerrno>
#include <chrono>
#include <cstring>

namespace minke {
namespace {

constexpr std::array<uint32_t, 256> make_crc_table() {
  std::array<uint32_t, 256> table{};
  for (uint32_t i = 0; i < 256; i++) {
    uint32_t crc = i;
    for (int bit = 0; bit < 8; bit++) crc = (crc & 1) != 0 ? (crc >> 1) ^ 0x82F63B78u : crc >> 1;
    table[i] = crc;
  }
  return table;
}
constexpr std::array<uint32_t, 256> kCrcTable = make_crc_table();

template <typename T>
std::string little_endian(T value) {
  static_assert(std::endian::native == std::endian::little);
  return std::string(reinterpret_cast<const char*>(&value), sizeof value);
}

// TFRecord rotates and shifts the sum, because a sum over data that holds its own sum is weak.
std::string masked_crc(std::string_view bytes) { return little_endian<uint32_t>(std::rotr(crc32c(bytes), 15) + 0xa282ead8u); }

std::string varint(uint64_t value) {
  std::string out;
  for (; value >= 0x80; value >>= 7) out += static_cast<char>(value | 0x80);
  out += static_cast<char>(value);
  return out;
}

// Wire types of protobuf.
constexpr int kVarint = 0, kFixed64 = 1, kLengthDelimited = 2, kFixed32 = 5;

std::string key(int field, int wire_type) {
  return varint(static_cast<uint64_t>(field) << 3 | static_cast<uint64_t>(wire_type));
}
std::string integer_field(int field, int64_t value) { return key(field, kVarint) + varint(static_cast<uint64_t>(value)); }
std::string double_field(int field, double value) { return key(field, kFixed64) + little_endian(value); }
std::string float_field(int field, float value) { return key(field, kFixed32) + little_endian(value); }
std::string bytes_field(int field, std::string_view value) {
  return key(field, kLengthDelimited) + varint(value.size()) + std::string(value);
}

// event.proto: Event
constexpr int kWallTime = 1, kStep = 2, kFileVersion = 3, kSummary = 5, kSessionLog = 7;
// event.proto: SessionLog
constexpr int kStatus = 1, kStatusStart = 1;
// summary.proto: Summary, Summary.Value, SummaryMetadata, SummaryMetadata.PluginData
constexpr int kValue = 1, kTag = 1, kSimpleValue = 2, kTensor = 8, kMetadata = 9, kPluginData = 1, kPluginName = 1;
// tensor.proto: TensorProto; types.proto: DT_STRING; tensor_shape.proto: TensorShapeProto, Dim
constexpr int kTensorType = 1, kTensorShape = 2, kStringValue = 8, kTypeString = 7, kShapeDim = 2, kDimSize = 1;

std::string event_head(double wall_time, int64_t step) {
  return double_field(kWallTime, wall_time) + integer_field(kStep, step);
}

double now() { return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count(); }

std::string host_name() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "host";
}

}  // namespace

uint32_t crc32c(std::string_view bytes) {
  uint32_t crc = 0xFFFFFFFFu;
  for (char c : bytes) crc = (crc >> 8) ^ kCrcTable[(crc ^ static_cast<uint8_t>(c)) & 0xFF];
  return ~crc;
}

std::string version_event(double wall_time) {
  return double_field(kWallTime, wall_time) + bytes_field(kFileVersion, "brain.Event:2");
}

std::string restart_event(double wall_time, int64_t step) {
  return event_head(wall_time, step) + bytes_field(kSessionLog, integer_field(kStatus, kStatusStart));
}

std::string scalars_event(double wall_time, int64_t step, std::span<const Scalar> scalars) {
  std::string summary;
  for (const Scalar& scalar : scalars) {
    summary += bytes_field(kValue, bytes_field(kTag, scalar.tag) + float_field(kSimpleValue, static_cast<float>(scalar.value)));
  }
  return event_head(wall_time, step) + bytes_field(kSummary, summary);
}

std::string text_event(double wall_time, int64_t step, std::string_view tag, std::string_view text) {
  std::string shape = bytes_field(kShapeDim, integer_field(kDimSize, 1));
  std::string tensor =
      integer_field(kTensorType, kTypeString) + bytes_field(kTensorShape, shape) + bytes_field(kStringValue, text);
  std::string metadata = bytes_field(kPluginData, bytes_field(kPluginName, "text"));
  std::string value = bytes_field(kTag, tag) + bytes_field(kTensor, tensor) + bytes_field(kMetadata, metadata);
  return event_head(wall_time, step) + bytes_field(kSummary, bytes_field(kValue, value));
}

std::string framed(std::string_view event) {
  std::string length = little_endian<uint64_t>(event.size());
  return length + masked_crc(length) + std::string(event) + masked_crc(event);
}

Result<EventFile> EventFile::create(const std::string& folder, int64_t last_step) {
  double time = now();
  for (int attempt = 0;; attempt++) {
    // Readers look for "tfevents" and sort by name; the last part tells starts of one second apart.
    std::string path = fmt::format("{}/events.out.tfevents.{:010}.{}.{}.{}", folder, static_cast<int64_t>(time), host_name(),
                                   ::getpid(), attempt);
    int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0 && errno == EEXIST) continue;
    if (fd < 0) return error("{}: cannot create: {}", path, std::strerror(errno));
    EventFile file(path, fd);
    TRY(file.write(version_event(time)));
    if (last_step > 0) TRY(file.write(restart_event(time, last_step + 1)));
    return file;
  }
}

EventFile::EventFile(EventFile&& other) noexcept : path_(std::move(other.path_)), fd_(other.fd_) { other.fd_ = -1; }

EventFile::~EventFile() {
  if (fd_ >= 0) ::close(fd_);
}

Status EventFile::write(std::string_view event) {
  std::string record = framed(event);
  for (std::string_view rest = record; !rest.empty();) {
    ssize_t n = ::write(fd_, rest.data(), rest.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return error("{}: cannot write: {}", path_, std::strerror(errno));
    rest.remove_prefix(static_cast<size_t>(n));
  }
  return {};
}

Status EventFile::scalars(int64_t step, std::span<const Scalar> scalars) { return write(scalars_event(now(), step, scalars)); }

Status EventFile::text(int64_t step, std::string_view tag, std::string_view text) {
  return write(text_event(now(), step, tag, text));
}

}  // namespace minke
