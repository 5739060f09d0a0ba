// From a method and a path to a route.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "server/app_state.h"

namespace minke::server {

class Router {
 public:
  Router();
  struct Match {
    const Route* route = nullptr;
    std::vector<std::string_view> other_methods;  // of the same path, when the method is wrong
  };
  // Sets request.captures.
  Match find(HttpRequest& request) const;
  std::span<const Route> routes() const { return routes_; }

 private:
  std::vector<Route> routes_;
};

// The dialect in which a path that has no route is told so.
Dialect dialect_of_path(std::string_view path);

}  // namespace minke::server
