// HTTP as the routes see it: no sockets, no library.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace minke::server {

class Generation;
struct Route;

struct HttpRequest {
  std::string method;
  std::string path;                                          // decoded, without the query
  std::map<std::string, std::string> query;                  // decoded
  std::vector<std::pair<std::string, std::string>> headers;  // names in lower case
  std::string body;
  std::string peer;  // address without the port
  bool is_encrypted = false;
  // Filled in on the way:
  const Route* route = nullptr;                 // null: a file of the page
  std::string caller;                           // the name of the API key; empty without keys
  std::map<std::string, std::string> captures;  // of the route's pattern

  // The first of the name, or empty.
  std::string_view header(std::string_view name) const;
  size_t n_headers(std::string_view name) const;
  std::string capture(const std::string& name) const;
};

// Splits and decodes the target of a request line. None when it is not "/..." or has bad escapes.
struct HttpTarget {
  std::string path;
  std::map<std::string, std::string> query;
};
std::optional<HttpTarget> parse_target(std::string_view target);

struct HttpReply {
  int status = 200;
  std::string content_type = "application/json";
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  std::string_view fixed_body = {};             // instead of body: bytes that live as long as the program
  std::shared_ptr<Generation> generation = {};  // instead of both: the model writes it
};

}  // namespace minke::server
