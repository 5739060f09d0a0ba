// A question of the page as JSON, answered with JSON: {"kind": "train", "model": "deepseek-v3", ...}. docs/plan.md has the
// keys.
#pragma once

#include <string>
#include <string_view>

#include "base/json.h"
#include "plan/tables/tables.h"

namespace minke::plan {

// Numbers, what they do not contain, and the working. An error names the key, its value and what is possible.
Result<Json> answer_request(const Json& request, const Tables& tables);
// The same from text to text, with the tables that the program carries.
Result<std::string> answer_request_text(std::string_view text);

// What can be chosen: models, devices with their sources, presets.
Json choices_json(const Tables& tables);

}  // namespace minke::plan
