// Chat templates: a bounded interpreter of the Jinja2 language (jinja.palletsprojects.com/en/3.1.x/templates), with the
// environment in which Hugging Face renders chat templates: trim_blocks, lstrip_blocks, loop controls, an immutable sandbox,
// no autoescape, json.dumps as tojson. A template is a program from an untrusted file, so it can reach nothing but the
// variables it is given, and every resource it uses has a limit.
#pragma once

#include <cstddef>
#include <cstdint>
#include <ctime>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/json.h"

namespace minke::jinja {

// Generous for real templates (a chat of a million tokens fits), small enough that hostile ones end soon.
struct TemplateLimits {
  size_t max_template_bytes = size_t{1} << 20;
  size_t max_output_bytes = size_t{64} << 20;
  size_t max_live_bytes = size_t{128} << 20;  // of all values alive at one time, variables included
  uint64_t max_steps = 50'000'000;            // evaluated nodes, and one per 64 bytes of text touched
  int max_parse_depth = 200;                  // nested brackets, operators and blocks
  int max_depth = 1500;                       // nested statements, expressions and macro calls while rendering; all of
                                              // them take about 1.2 MB of stack
  int max_value_depth = 200;                  // lists in lists
};

struct RenderOptions {
  // What strftime_now() shows; without it the local wall clock.
  std::optional<std::tm> now;
};

struct TemplateNode;

// A parsed template; cheap to copy, safe to render from several threads at once.
class Template {
 public:
  // Source must be UTF-8. Errors name the line.
  static Result<Template> parse(std::string_view source, TemplateLimits limits = {});

  // The variables are the members of a JSON object; every string in them must be UTF-8 (others are refused by name).
  Result<std::string> render(const Json& variables, const RenderOptions& options = {}) const;

 private:
  Template(std::shared_ptr<const TemplateNode> root, TemplateLimits limits) : root_(std::move(root)), limits_(limits) {}
  std::shared_ptr<const TemplateNode> root_;
  TemplateLimits limits_;
};

// When the template itself refused its input with raise_exception(text): that text, as it was given. Such an error reads
// "template raised: <text>"; every other error of render() and parse() starts with "template line <n>: " or "variables: ".
std::optional<std::string> raised_text(const Error& error);

// An error that starts with "template line <n>: " in its two parts.
struct LineError {
  int line = 0;
  std::string text;
};
std::optional<LineError> line_error(const Error& error);

}  // namespace minke::jinja
