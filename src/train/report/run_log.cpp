#include "train/report/run_log.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>

#include "base/file.h"

namespace minke {
namespace {

constexpr size_t kMaxLogBytes = size_t{4} << 30;

// Calls visit(record) for each whole line until it says false; the value is where that line, or what is not whole, begins.
Result<size_t> visit_log(const std::string& path, const std::function<bool(StepRecord&)>& visit) {
  std::string text = TRY(read_file(path, kMaxLogBytes));
  size_t begin = 0;
  for (int line = 1;; line++) {
    size_t end = text.find('\n', begin);
    if (end == std::string::npos) return begin;
    std::string where = fmt::format("{}:{}", path, line);
    Json json = TRY(parse_json(std::string_view(text).substr(begin, end - begin), where));
    StepRecord record = TRY(parse_step(json, where));
    if (!visit(record)) return begin;
    begin = end + 1;
  }
}

Status write_all(int fd, std::string_view text, const std::string& path) {
  while (!text.empty()) {
    ssize_t n = ::write(fd, text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return error("{}: cannot write: {}", path, std::strerror(errno));
    text.remove_prefix(static_cast<size_t>(n));
  }
  return {};
}

}  // namespace

Result<RunLog> RunLog::open(const std::string& path, int64_t last_step) {
  size_t size = 0;
  std::error_code failed;
  if (last_step > 0 && std::filesystem::exists(path, failed)) {
    size = TRY(visit_log(path, [&](const StepRecord& record) { return record.step <= last_step; }));
  }
  int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (fd < 0) return error("{}: cannot open: {}", path, std::strerror(errno));
  RunLog log(path, fd);
  if (::ftruncate(fd, static_cast<off_t>(size)) != 0) return error("{}: cannot cut: {}", path, std::strerror(errno));
  return log;
}

RunLog::RunLog(RunLog&& other) noexcept : path_(std::move(other.path_)), fd_(other.fd_) { other.fd_ = -1; }

RunLog::~RunLog() {
  if (fd_ >= 0) ::close(fd_);
}

Status RunLog::append(const StepRecord& record) { return write_all(fd_, dump_json(step_json(record)) + "\n", path_); }

Result<std::vector<StepRecord>> read_log(const std::string& path) {
  std::vector<StepRecord> records;
  TRY(visit_log(path, [&](StepRecord& record) {
    records.push_back(std::move(record));
    return true;
  }));
  return records;
}

}  // namespace minke
