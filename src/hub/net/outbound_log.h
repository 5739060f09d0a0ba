// The outbound ledger: every request that leaves this machine, as JSON lines that the user can read. A line is written
// before the connection is made, so that a killed process leaves its trace too, and one after it with status and bytes.
// What cannot be written down is not sent. Queries are left out: they may hold signatures.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"

namespace minke::hub {

struct OutboundRequest {
  std::string method;
  std::string host;  // "host:port"
  std::string path;
  std::string purpose;
};

struct OutboundOutcome {
  int status = 0;  // 0: no answer
  uint64_t sent_bytes = 0;
  uint64_t received_bytes = 0;
  std::string error;
};

class OutboundLog {
 public:
  virtual ~OutboundLog() = default;
  // The id that joins the two lines.
  virtual Result<std::string> begin(const OutboundRequest& request) = 0;
  virtual Status end(const std::string& id, const OutboundOutcome& outcome) = 0;
};

// Appends to a file, from any thread and any process.
class OutboundFile : public OutboundLog {
 public:
  // Makes the folder (mode 0700) and the file (0600) when they are not there.
  static Result<OutboundFile> open(const std::string& path);
  OutboundFile(OutboundFile&& other) noexcept;
  OutboundFile& operator=(OutboundFile&&) = delete;
  ~OutboundFile() override;

  Result<std::string> begin(const OutboundRequest& request) override;
  Status end(const std::string& id, const OutboundOutcome& outcome) override;

 private:
  OutboundFile(std::string path, int fd) : path_(std::move(path)), fd_(fd) {}
  Status append(const std::string& line);
  std::string path_;
  int fd_;
};

struct OutboundRecord {
  std::string time;  // UTC, ISO 8601
  std::string id;
  OutboundRequest request;
  std::optional<OutboundOutcome> outcome;  // none: still under way, or the process was killed
};

// The ledger in order of time; a missing file is an empty ledger. A line cut by a crash is left out.
Result<std::vector<OutboundRecord>> read_outbound_log(const std::string& path);

}  // namespace minke::hub
