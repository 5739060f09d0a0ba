// Who may talk to the server. Checked when the head of a request is there, before a byte of its body is read.
//   Host     a page of some other name that resolves to this machine (DNS rebinding) is refused
//   Origin   so is a script of any page but ours, unless its origin is allowed
//   key      every credential that is presented must be right; compared in constant time, as digests
//   X-Minke  a header that no form and no image can send, on whatever changes state under /api/minke
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "server/access/limits.h"
#include "server/http.h"

namespace minke::server {

struct ApiKey {
  std::string name;  // in limits, never in replies
  std::string secret;
};

struct GateOptions {
  std::vector<ApiKey> keys;
  std::string address = "127.0.0.1";         // that the server listens on
  std::vector<std::string> allowed_hosts;    // beside the names of loopback
  std::vector<std::string> allowed_origins;  // "https://example.org": CORS for these, and no other
  double requests_per_minute = 0;            // per key, or per address without keys; 0: no limit
  double burst = 60;
};

class Gate {
 public:
  // Refuses an address that others can reach without a key, empty and short keys, and two keys that are the same.
  static Result<std::unique_ptr<Gate>> create(GateOptions options);

  // Sets request.caller. needs_key: false for what anyone may see.
  Outcome<void> check(HttpRequest& request, bool needs_key, bool is_limited);
  // The origin to name in Access-Control-Allow-Origin; empty: none.
  std::string allowed_origin(const HttpRequest& request) const;

 private:
  struct Key {
    std::string name;
    std::string digest;
  };
  explicit Gate(GateOptions options);
  Outcome<void> check_host(const HttpRequest& request) const;
  Outcome<void> check_origin(const HttpRequest& request) const;
  Outcome<void> check_key(HttpRequest& request) const;
  const Key* find_key(std::string_view secret) const;

  GateOptions options_;
  std::vector<Key> keys_;
  bool is_loopback_;
  RateLimit rate_;
};

bool is_loopback_address(const std::string& address);

}  // namespace minke::server
