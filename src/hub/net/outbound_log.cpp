#include "hub/net/outbound_log.h"

#include <fcntl.h>
#include <fmt/chrono.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <random>
#include <unordered_map>
#include <utility>

#include "base/file.h"
#include "base/json.h"

namespace minke::hub {
namespace {

constexpr size_t kMaxLogBytes = size_t{256} << 20;

std::string now_text() {
  auto now = std::chrono::system_clock::now();
  auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count() % 1000;
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", fmt::gmtime(std::chrono::system_clock::to_time_t(now)), ms);
}

// Unique among all writers of the file.
std::string new_id() {
  std::random_device random;
  return fmt::format("{:08x}{:08x}{:08x}", random(), random(), random());
}

// Text of a field, "" when it is missing or of another type: the file may have been edited by hand.
std::string text_of(const Json& row, const char* key) {
  auto found = row.find(key);
  return found != row.end() && found->is_string() ? found->get<std::string>() : "";
}

uint64_t number_of(const Json& row, const char* key) {
  auto found = row.find(key);
  return found != row.end() && found->is_number_unsigned() ? found->get<uint64_t>() : 0;
}

}  // namespace

Result<OutboundFile> OutboundFile::open(const std::string& path) {
  std::string folder = std::filesystem::path(path).parent_path().string();
  std::error_code code;
  bool is_new = !folder.empty() && std::filesystem::create_directories(folder, code);
  if (is_new) std::filesystem::permissions(folder, std::filesystem::perms::owner_all, code);
  int fd = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) {
    int number = errno;
    return error(
        "{}: cannot open the outbound ledger: {}; nothing is sent without it: set XDG_STATE_HOME to a folder that you can "
        "write",
        path, std::strerror(number));
  }
  return OutboundFile(path, fd);
}

OutboundFile::OutboundFile(OutboundFile&& other) noexcept : path_(std::move(other.path_)), fd_(std::exchange(other.fd_, -1)) {}

OutboundFile::~OutboundFile() {
  if (fd_ >= 0) ::close(fd_);
}

Status OutboundFile::append(const std::string& line) {
  // One write() of a whole line: O_APPEND keeps the lines of several writers apart.
  ssize_t n = ::write(fd_, line.data(), line.size());
  if (n == static_cast<ssize_t>(line.size())) return {};
  int number = n < 0 ? errno : ENOSPC;
  return error("{}: cannot write the outbound ledger: {}; nothing is sent without it", path_, std::strerror(number));
}

Result<std::string> OutboundFile::begin(const OutboundRequest& request) {
  std::string id = new_id();
  Json row = {{"time", now_text()},        {"event", "request"},   {"id", id},
              {"method", request.method},  {"host", request.host}, {"path", request.path},
              {"purpose", request.purpose}};
  TRY(append(dump_json(row) + "\n"));
  return id;
}

Status OutboundFile::end(const std::string& id, const OutboundOutcome& outcome) {
  Json row = {{"time", now_text()},
              {"event", "done"},
              {"id", id},
              {"status", outcome.status},
              {"sent_bytes", outcome.sent_bytes},
              {"received_bytes", outcome.received_bytes}};
  if (!outcome.error.empty()) row["error"] = outcome.error;
  return append(dump_json(row) + "\n");
}

Result<std::vector<OutboundRecord>> read_outbound_log(const std::string& path) {
  std::vector<OutboundRecord> records;
  std::error_code code;
  if (!std::filesystem::exists(path, code)) return records;
  std::string text = TRY(read_file(path, kMaxLogBytes));
  std::unordered_map<std::string, size_t> index_of;
  for (size_t start = 0; start < text.size();) {
    size_t end = std::min(text.find('\n', start), text.size());
    auto row = parse_json(std::string_view(text).substr(start, end - start), path);
    start = end + 1;
    if (!row || !row->is_object()) continue;
    std::string id = text_of(*row, "id");
    if (text_of(*row, "event") == "request") {
      index_of[id] = records.size();
      OutboundRequest request{text_of(*row, "method"), text_of(*row, "host"), text_of(*row, "path"), text_of(*row, "purpose")};
      records.push_back({text_of(*row, "time"), id, std::move(request), std::nullopt});
    } else if (auto found = index_of.find(id); found != index_of.end()) {
      records[found->second].outcome =
          OutboundOutcome{static_cast<int>(number_of(*row, "status")), number_of(*row, "sent_bytes"),
                          number_of(*row, "received_bytes"), text_of(*row, "error")};
    }
  }
  return records;
}

}  // namespace minke::hub
