// Everything a user can set about the hub, with the names and the order of precedence of Hugging Face's own tools.
#pragma once

#include <string>
#include <vector>

#include "base/error.h"

namespace minke::hub {

struct RetryPolicy {
  int max_retries = 5;      // without progress; each 8 MiB of new bytes starts the count again
  double first_wait_s = 1;  // doubles at each retry
  double max_wait_s = 30;
  double max_server_wait_s = 300;  // a longer Retry-After is an error that says so
  uint64_t progress_bytes = uint64_t{8} << 20;
};

struct Timeouts {
  double connect_s = 15;
  double listing_s = 120;  // a whole listing request
  double stall_s = 30;     // a transfer below min_bytes_per_s for so long is cut and resumed
  long min_bytes_per_s = 100;
};

struct Proxies {
  std::string https;  // for https:// addresses, HTTPS_PROXY or ALL_PROXY
  std::string http;   // for http:// addresses, http_proxy or ALL_PROXY
  std::string none;   // NO_PROXY
};

struct HubOptions {
  std::string endpoint = "https://huggingface.co";  // HF_ENDPOINT
  std::string token;                                // HF_TOKEN > file HF_TOKEN_PATH > file $HF_HOME/token
  std::string cache_dir;                            // HF_HUB_CACHE > $HF_HOME/hub > ~/.cache/huggingface/hub
  bool offline = false;                             // HF_HUB_OFFLINE
  std::string revision = "main";
  std::vector<std::string> include;  // shell patterns over whole paths, '*' crosses '/'; not empty: replaces minke's choice
  std::vector<std::string> exclude;
  std::string local_dir;       // not empty: plain files there instead of the cache
  bool verify_reused = false;  // hash again what is already in the cache
  int n_connections = 3;
  int max_redirects = 5;
  Timeouts timeouts;
  RetryPolicy retry;
  Proxies proxies;
  std::string ca_bundle;     // SSL_CERT_FILE, CURL_CA_BUNDLE or REQUESTS_CA_BUNDLE; empty: the system's
  std::string outbound_log;  // $XDG_STATE_HOME/minke/outbound.jsonl
};

// Reads the variables named above. A token is read only here and is never printed.
Result<HubOptions> from_environment();

}  // namespace minke::hub
