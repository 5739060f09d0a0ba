#include "server/route/router.h"

namespace minke::server {
namespace {

std::string_view take_segment(std::string_view& path) {
  path.remove_prefix(1);  // '/'
  const size_t end = std::min(path.find('/'), path.size());
  const std::string_view segment = path.substr(0, end);
  path.remove_prefix(end);
  return segment;
}

bool matches(std::string_view pattern, std::string_view path, std::map<std::string, std::string>& captures) {
  while (!pattern.empty() && !path.empty()) {
    const std::string_view want = take_segment(pattern);
    if (want.starts_with('{') && want.ends_with("...}")) {
      captures[std::string(want.substr(1, want.size() - 5))] = path.substr(1);
      return path.size() > 1;
    }
    const std::string_view got = take_segment(path);
    if (want.starts_with('{')) {
      if (got.empty()) return false;
      captures[std::string(want.substr(1, want.size() - 2))] = got;
    } else if (want != got) {
      return false;
    }
  }
  return pattern.empty() && path.empty();
}

}  // namespace

Router::Router() {
  for (const auto routes : {chat_routes(), completion_routes(), response_routes(), list_routes(), anthropic_routes(),
                            ollama_routes(), minke_routes()})
    routes_.insert(routes_.end(), routes.begin(), routes.end());
}

Router::Match Router::find(HttpRequest& request) const {
  Match match;
  const std::string_view method = request.method == "HEAD" ? "GET" : std::string_view(request.method);
  for (const Route& route : routes_) {
    std::map<std::string, std::string> captures;
    if (!matches(route.pattern, request.path, captures)) continue;
    if (route.method == method) {
      request.captures = std::move(captures);
      match.route = &route;
      return match;
    }
    match.other_methods.push_back(route.method);
  }
  return match;
}

Dialect dialect_of_path(std::string_view path) {
  if (path.starts_with("/v1/messages") || path.starts_with("/anthropic/")) return Dialect::kAnthropic;
  if (path.starts_with("/api/") && !path.starts_with("/api/minke/")) return Dialect::kOllama;
  return Dialect::kOpenAi;
}

}  // namespace minke::server
