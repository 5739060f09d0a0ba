// Shorthands of the tests of this folder.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "jinja/template.h"
#include "support/support.h"

namespace minke::jinja {

// 2025-07-10 12:00:00, the clock of the vectors.
inline RenderOptions fixed_clock() {
  std::tm now{};
  now.tm_year = 125;
  now.tm_mon = 6;
  now.tm_mday = 10;
  now.tm_hour = 12;
  now.tm_wday = 4;
  now.tm_yday = 190;
  return {now};
}

inline Result<std::string> try_render(std::string_view source, const Json& variables = Json::object(),
                                      TemplateLimits limits = {}) {
  const auto parsed = Template::parse(source, limits);
  if (!parsed) return tl::unexpected<Error>(parsed.error());
  return parsed->render(variables, fixed_clock());
}

// The text, or "error: ..." so that a comparison shows it.
inline std::string render(std::string_view source, const Json& variables = Json::object()) {
  const auto rendered = try_render(source, variables);
  return rendered ? *rendered : "error: " + rendered.error().message;
}

}  // namespace minke::jinja
