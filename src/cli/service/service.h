// What serve and up share: the flags of the server, and running it until a signal.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/error.h"
#include "tensor/dtype.h"

namespace CLI {
class App;
}

namespace minke::cli {

struct ServiceFlags {
  std::string host = "127.0.0.1";
  uint16_t port = 8080;
  std::vector<std::string> api_keys;
  std::string api_key_file;
  std::string profile = "lenient";
  std::vector<std::string> allowed_origins, allowed_hosts;
  std::string tls_certificate, tls_key;
  int max_requests = 256, max_requests_per_key = 0;
  double requests_per_minute = 0;
  int64_t context_tokens = 0;
  uint64_t cache_bytes = 0;
  uint64_t memory_bytes = 0;
  uint64_t disk_cache_bytes = 0;  // 0: none
  DType kv = DType::kF16;
  int n_threads = 0;
  std::string template_file;
};

void add_service_flags(CLI::App& command, ServiceFlags& flags);

struct ServiceModel {
  std::string name;  // as the user gave it
  std::string path;
  bool bundled = false;
};

// Loads the models and serves until SIGTERM or Ctrl-C. may_move: another port when the flags' is taken.
Result<int> run_service(const ServiceFlags& flags, const std::vector<ServiceModel>& models, bool may_move);

}  // namespace minke::cli
