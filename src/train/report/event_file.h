// TensorBoard's event files: TFRecord frames (length, masked CRC-32C of the length, data, masked CRC-32C of the data;
// TensorFlow, core/lib/io/record_writer.h) around Event messages of protobuf (TensorFlow, core/util/event.proto and
// core/framework/summary.proto), of which these few fields are written by hand.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/error.h"

namespace minke {

// CRC-32C (Castagnoli, reflected, polynomial 0x1EDC6F41).
uint32_t crc32c(std::string_view bytes);

struct Scalar {
  std::string_view tag;  // "train/loss"
  double value = 0;
};

// Serialised messages; wall_time in seconds since 1970.
std::string version_event(double wall_time);
// Tells readers that what they saw of this step and later ones is void: written when a run resumes.
std::string restart_event(double wall_time, int64_t step);
std::string scalars_event(double wall_time, int64_t step, std::span<const Scalar> scalars);
std::string text_event(double wall_time, int64_t step, std::string_view tag, std::string_view text);
std::string framed(std::string_view event);

class EventFile {
 public:
  // A new file in `folder`, named so that readers find it and sort it behind those of earlier starts. last_step > 0: resumed.
  static Result<EventFile> create(const std::string& folder, int64_t last_step);
  EventFile(EventFile&& other) noexcept;
  EventFile& operator=(EventFile&&) = delete;
  ~EventFile();

  Status scalars(int64_t step, std::span<const Scalar> scalars);
  // Shown as Markdown.
  Status text(int64_t step, std::string_view tag, std::string_view text);
  const std::string& path() const { return path_; }

 private:
  EventFile(std::string path, int fd) : path_(std::move(path)), fd_(fd) {}
  Status write(std::string_view event);
  std::string path_;
  int fd_;
};

}  // namespace minke
